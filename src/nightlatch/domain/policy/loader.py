"""From text to a policy document, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.factors.backup_codes import MAX_COUNT
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.policy import combinations
from nightlatch.domain.policy.document import (
    AdminRecovery,
    AssuranceLevels,
    Condition,
    Confirm,
    Enforcement,
    Factors,
    FirstFactor,
    GroupMinimum,
    PolicyDocument,
    Prompt,
    Prompting,
    Recovery,
    RememberDevice,
)
from nightlatch.domain.policy.problems import PolicyErrors
from nightlatch.domain.policy.reading import Place, Reader
from nightlatch.domain.policy.tree import parse
from nightlatch.domain.time import DAY, MINUTE

MAX_GRACE = 365 * DAY
MAX_REMEMBERED = 90 * DAY
MAX_WAIT = 30 * DAY

_ENFORCEMENT = ("all_users", "groups", "grace_period", "exclude_service_accounts")
# The article nests these two; they read as well beside it, and mean the same.
_EITHER = ("risk_based_prompting", "recovery")
_BESIDE = ("assurance", "factors", "remember_device", "first_factor", "sensitive_actions", "report_only")
_TOP = ("mfa_enforcement", *_EITHER, *_BESIDE)
_UNSUPPORTED = "not_supported"
_LATER = {
    name: (_UNSUPPORTED, f"{name} is not supported by this version of Nightlatch")
    for name in ("rules", "risk", "invariants")
}
_BELONGS_UNDER = {name: ("misplaced_key", f"{name} belongs under mfa_enforcement") for name in _ENFORCEMENT}
_BELONGS_BESIDE = {name: ("misplaced_key", f"{name} belongs beside mfa_enforcement, not under it") for name in _BESIDE}


def load(text: str, *, groups_known: Collection[str] | None = None, to_apply: bool = False) -> PolicyDocument:
    """Read a document in YAML or JSON.

    ``groups_known``: the groups that exist; None where nobody can tell. With ``to_apply`` also what would be read and
    could not be fulfilled is a problem; one that is in force already goes on. Raises ``PolicyErrors`` with every
    problem that one look finds, and nothing else, whatever the text.
    """
    reader = Reader(groups_known)
    root = Place(parse(text), "")
    document = _document(reader, root)
    if to_apply:
        _refuse_unfulfilled(reader, root, document)
    if reader.problems:
        raise PolicyErrors(reader.problems)
    return document


def _document(reader: Reader, root: Place, *, beside: bool = False) -> PolicyDocument:
    """The document at a place; ``beside``: it is the ``report_only`` one of another."""
    top = reader.mapping(root)
    if beside:
        reader.keys(top, _TOP[:-1], _LATER | {"report_only": ("impossible_combination", "report_only holds no other")})
    else:
        reader.keys(top, _TOP, _LATER | _BELONGS_UNDER)
    inner = _section(reader, top, "mfa_enforcement", (*_ENFORCEMENT, *_EITHER), _LATER | _BELONGS_BESIDE)
    if top is not None and reader.child(top, "mfa_enforcement") is None:
        reader.problem(top, "missing_key", "mfa_enforcement is missing: it says who must hold a factor")
    reported = None if beside else reader.child(top, "report_only")
    actions = reader.child(top, "sensitive_actions")
    known_problems = len(reader.problems)
    document = PolicyDocument(
        mfa_enforcement=_enforcement(reader, inner),
        risk_based_prompting=_prompting(reader, _either(reader, top, inner, "risk_based_prompting")),
        recovery=_recovery(reader, _either(reader, top, inner, "recovery")),
        assurance=_assurance(reader, top),
        factors=_factors(reader, top),
        remember_device=_remember_device(reader, top),
        first_factor=_first_factor(reader, top),
        sensitive_actions=None if actions is None else reader.names(actions, reader.action),
        report_only=None if reported is None else _document(reader, reported, beside=True),
    )
    if len(reader.problems) == known_problems:
        # Stand-ins for what could not be read would only make up combinations that nobody wrote.
        combinations.check(reader, root, document)
    return document


def _section(
    reader: Reader,
    parent: Place | None,
    name: str,
    known: Collection[str],
    others: dict[str, tuple[str, str]] | None = None,
) -> Place | None:
    place = reader.child(parent, name)
    section = None if place is None else reader.mapping(place)
    reader.keys(section, known, others or {})
    return section


def _either(reader: Reader, top: Place | None, inner: Place | None, name: str) -> Place | None:
    """A section that may be nested or stand beside; both at once would leave open which one holds."""
    nested, beside = reader.child(inner, name), reader.child(top, name)
    if nested is not None and beside is not None:
        reader.problem(beside, "given_twice", f"{name} already stands under mfa_enforcement")
    return nested if nested is not None else beside


def _enforcement(reader: Reader, place: Place | None) -> Enforcement:
    everyone, groups = reader.child(place, "all_users"), reader.child(place, "groups")
    if place is not None and everyone is None and groups is None:
        reader.problem(place, "missing_key", "all_users or groups is missing: say who must hold a factor")
    return Enforcement(
        all_users=reader.boolean(everyone, default=False),
        groups=reader.names(groups, reader.group),
        grace_period=reader.duration(reader.child(place, "grace_period"), 0, MAX_GRACE, 0),
        exclude_service_accounts=reader.boolean(reader.child(place, "exclude_service_accounts"), default=False),
    )


def _prompting(reader: Reader, place: Place | None) -> tuple[Prompting, ...] | None:
    if place is None:
        return None
    found: dict[Condition, Prompting] = {}
    for item in reader.items(place):
        entry = reader.mapping(item)
        if entry is None:
            continue
        reader.keys(entry, tuple(Condition), {})
        pairs = list(reader.pairs(entry))
        if len(pairs) != 1:
            reader.problem(item, "wrong_type", "Each item holds one condition, like: - new_device: prompt_mfa")
        for name, key, value in pairs:
            if name not in tuple(Condition):
                continue
            condition = Condition(name)
            if condition in found:
                reader.problem(key, "duplicate_value", f"{name} is named twice")
            found[condition] = Prompting(condition=condition, effect=reader.word(value, Prompt, Prompt.REQUIRE_MFA))
    return tuple(found.values())


def _recovery(reader: Reader, place: Place | None) -> Recovery:
    section = None if place is None else reader.mapping(place)
    reader.keys(section, ("backup_codes", "admin_recovery", "recovery_timeout", "cooling_off"), {})
    default = Recovery()
    return Recovery(
        backup_codes=reader.integer(reader.child(section, "backup_codes"), 1, MAX_COUNT, default.backup_codes),
        admin_recovery=reader.word(reader.child(section, "admin_recovery"), AdminRecovery, default.admin_recovery),
        timeout=reader.duration(reader.child(section, "recovery_timeout"), 10 * MINUTE, MAX_WAIT, default.timeout),
        cooling_off=reader.duration(reader.child(section, "cooling_off"), 0, MAX_WAIT, default.cooling_off),
    )


def _assurance(reader: Reader, top: Place | None) -> AssuranceLevels:
    section = _section(reader, top, "assurance", ("default", "minimum_for_groups"))
    minimums = reader.child(section, "minimum_for_groups")
    pairs = () if minimums is None or reader.mapping(minimums) is None else tuple(reader.pairs(minimums))
    return AssuranceLevels(
        default=reader.word(reader.child(section, "default"), Assurance, Assurance.AAL2),
        minimum_for_groups=tuple(
            GroupMinimum(group=reader.group(key), level=reader.word(level, Assurance, Assurance.PHRH))
            for _, key, level in pairs
        ),
    )


def _factors(reader: Reader, top: Place | None) -> Factors:
    section = _section(reader, top, "factors", ("allowed", "sms"))
    sms = _section(reader, section, "sms", ("only_with_alternative",))
    return Factors(
        allowed=reader.words(reader.child(section, "allowed"), FactorKind, tuple(FactorKind)),
        sms_only_with_alternative=reader.boolean(reader.child(sms, "only_with_alternative"), default=True),
    )


def _remember_device(reader: Reader, top: Place | None) -> RememberDevice:
    section = _section(reader, top, "remember_device", ("for", "groups_except"))
    return RememberDevice(
        duration=reader.duration(reader.child(section, "for"), MINUTE, MAX_REMEMBERED, RememberDevice().duration),
        groups_except=reader.names(reader.child(section, "groups_except"), reader.group),
    )


def _first_factor(reader: Reader, top: Place | None) -> FirstFactor:
    section = _section(reader, top, "first_factor", ("confirm", "hold"))
    return FirstFactor(
        confirm=reader.word(reader.child(section, "confirm"), Confirm, Confirm.NONE),
        hold=reader.duration(reader.child(section, "hold"), 0, MAX_WAIT, 0),
    )


def _refuse_unfulfilled(reader: Reader, root: Place, document: PolicyDocument) -> None:
    """No page asks for a confirmation or lets a factor rest yet: nobody could set up their first."""
    for place, read in ((root, document), (reader.child(root, "report_only"), document.report_only)):
        section = reader.child(place, "first_factor")
        first = FirstFactor() if read is None else read.first_factor
        confirm, hold = reader.child(section, "confirm"), reader.child(section, "hold")
        if confirm is not None and first.confirm is not Confirm.NONE:
            reader.problem(confirm, _UNSUPPORTED, _NOBODY.format(f"confirm: {first.confirm}", "none"))
        if hold is not None and first.hold:
            reader.problem(hold, _UNSUPPORTED, _NOBODY.format("hold", "0"))


_NOBODY = "{} is not supported by this version of Nightlatch, so that nobody could set up a first factor: write {}"
