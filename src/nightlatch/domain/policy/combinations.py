"""Documents whose every word is right and which still cannot mean what they say."""

from __future__ import annotations

from nightlatch.domain.assurance import Assurance, reachable, satisfies
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.policy.document import Condition, PolicyDocument
from nightlatch.domain.policy.reading import Place, Reader

_CODE = "impossible_combination"


def check(reader: Reader, root: Place, document: PolicyDocument) -> None:
    """Note every impossible combination at the key that brings it about."""
    _who(reader, root, document)
    _kinds(reader, root, document)
    _levels(reader, root, document)
    _actions(reader, root, document)


def _at(reader: Reader, root: Place, *names: str) -> Place:
    """The deepest of these keys that is written."""
    place = root
    for name in names:
        place = reader.child(place, name) or place
    return place


def _who(reader: Reader, root: Place, document: PolicyDocument) -> None:
    if document.mfa_enforcement.all_users and document.mfa_enforcement.groups:
        place = _at(reader, root, "mfa_enforcement", "groups")
        reader.problem(place, _CODE, "all_users already covers every group: name groups or write all_users: false")


def _kinds(reader: Reader, root: Place, document: PolicyDocument) -> None:
    allowed = document.factors.allowed
    place = _at(reader, root, "factors", "allowed")
    others = set(allowed) - {FactorKind.BACKUP_CODES}
    if not others:
        reader.problem(place, _CODE, "Backup codes are for when a factor is gone: allow a factor beside them")
    if others == {FactorKind.SMS}:
        reader.problem(place, _CODE, "SMS must not be the only factor that a policy allows: allow another beside it")
    sms = reader.child(_at(reader, root, "factors"), "sms")
    if sms is not None and FactorKind.SMS not in allowed:
        reader.problem(sms, _CODE, "sms is not among the allowed factors")


def _levels(reader: Reader, root: Place, document: PolicyDocument) -> None:
    assurance = document.assurance
    if assurance.default is Assurance.AAL1:
        detail = "aal1 asks for no factor: to ask only some people, name their groups under mfa_enforcement"
        reader.problem(_at(reader, root, "assurance", "default"), _CODE, detail)
    _reach(reader, _at(reader, root, "assurance", "default"), assurance.default, document.factors.allowed)
    for minimum in assurance.minimum_for_groups:
        place = _at(reader, root, "assurance", "minimum_for_groups", minimum.group)
        _reach(reader, place, minimum.level, document.factors.allowed)


def _reach(reader: Reader, place: Place, level: Assurance, allowed: tuple[FactorKind, ...]) -> None:
    # Whether a passkey is in hardware shows only when it is used, so that its kind reaches phr at least.
    need = Assurance.PHR if level is Assurance.PHRH else level
    if allowed and not satisfies(reachable(allowed, "pwd"), need):
        reader.problem(place, _CODE, f"No allowed factor reaches {level}")


def _actions(reader: Reader, root: Place, document: PolicyDocument) -> None:
    prompting = document.risk_based_prompting
    if document.sensitive_actions is None or prompting is None:
        return
    if document.effect_of(Condition.SENSITIVE_ACTION) is None:
        detail = "risk_based_prompting does not look at them: add - sensitive_action: require_mfa"
        reader.problem(_at(reader, root, "sensitive_actions"), _CODE, detail)
