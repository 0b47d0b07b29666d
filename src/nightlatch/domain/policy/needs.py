"""What an attempt needs: the highest of the default, group minimum and requested level, and the reasons for it."""

from __future__ import annotations

import msgspec

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.policy.compiled import CompiledPolicy
from nightlatch.domain.policy.decision import Context, Reason, Signals, Subject
from nightlatch.domain.policy.document import Condition, Prompt

LEVELS = {level.value: level for level in Assurance}
_RANK = {level: level.rank for level in Assurance}


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted before anybody looks at what the subject holds.

    ``asked``: a factor is wanted. ``fresh``: one proved in this very authentication. ``floor``: the part of ``level``
    that no grace period puts off, because a group or the application asks for it by name.
    """

    level: Assurance
    floor: Assurance
    asked: bool
    fresh: bool
    covered: bool
    sensitive: bool
    reasons: tuple[Reason, ...]


_NOT_COVERED = Reason("not_covered", None, "allow", "the policy asks nobody in these groups for a factor")
_SENSITIVE = {prompt: Reason("sensitive_action", None, prompt.value, "this action is sensitive") for prompt in Prompt}
_ORDINARY = Reason("ordinary_action", None, "allow", "this action is not sensitive")
_KNOWN_PLACE = Reason("known_place", None, "allow", "a factor was proved from this network before")
_REMEMBERED = Reason("recognised_device", None, "allow", "this device was remembered by an earlier approval")
_DEVICE = {
    "missing": "no device token came with the request",
    "unknown": "first sign-in from this browser",
    "recognised": "this browser is known, but no approval remembered it",
}
_PLACE = {
    "new": "no earlier proved sign-in from this network",
    "missing": "nothing is known about where this comes from",
}
_DEFAULT = {
    level: Reason("policy_default", "default", "prompt_mfa", f"the policy asks for {level}") for level in LEVELS
}


def needs(policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals, now: int) -> Need:
    """What this attempt needs. ``context.acr`` is None or a level."""
    reasons: list[Reason] = []
    covered = policy.covers(subject.groups)
    sensitive = policy.is_sensitive(context.action)
    # Whom the policy covers must hold a factor, however familiar everything else looks.
    asked, fresh = covered and not holds_factor(subject), False
    if not covered:
        reasons.append(_NOT_COVERED)
    elif policy.prompts is None:
        asked = True
        if sensitive:
            reasons.append(_SENSITIVE[Prompt.REQUIRE_MFA])
            fresh = True
    else:
        risky, recognised = _conditions(policy.prompts, policy, subject, sensitive, signals, now)
        asked = asked or bool(risky)
        fresh = any(reason.effect == "require_mfa" for reason in risky)
        reasons += risky or recognised
    if covered and signals.address_mismatch:
        asked = True
        reasons.insert(0, _mismatch(policy))
        fresh = fresh or reasons[0].effect == "require_mfa"
    if asked:
        reasons.append(_DEFAULT[policy.default])
    level = policy.default if asked else Assurance.AAL1
    floor, floors = floor_of(policy, subject, context)
    reasons += (reason for reason, raised in floors if _RANK[raised] > _RANK[level])
    return Need(
        level=level if _RANK[level] >= _RANK[floor] else floor,
        floor=floor,
        asked=asked or floor is not Assurance.AAL1,
        fresh=fresh,
        covered=covered,
        sensitive=sensitive,
        reasons=tuple(reasons),
    )


def holds_factor(subject: Subject) -> bool:
    """Whether this person has a factor. Backup codes stand in for one, and are none by themselves."""
    return any(kind != FactorKind.BACKUP_CODES for kind in subject.active)


def floor_of(
    policy: CompiledPolicy, subject: Subject, context: Context
) -> tuple[Assurance, list[tuple[Reason, Assurance]]]:
    """The highest level that a group or the application asks for by name, and the reason for each above ``aal1``."""
    floor = Assurance.AAL1
    reasons: list[tuple[Reason, Assurance]] = []
    if policy.minimums:
        for group in sorted(subject.groups):
            minimum = policy.minimums.get(group)
            if minimum is not None and minimum is not Assurance.AAL1:
                floor = max(floor, minimum, key=_RANK.__getitem__)
                detail = f"the group {group} needs at least {minimum}"
                reasons.append((Reason("group_minimum", None, "raise", detail), minimum))
    requested = LEVELS[context.acr] if context.acr is not None else Assurance.AAL1
    if requested is not Assurance.AAL1:
        floor = max(floor, requested, key=_RANK.__getitem__)
        detail = f"the application asked for {requested}"
        reasons.append((Reason("acr_requested", None, "raise", detail), requested))
    return floor, reasons


def may_remember(policy: CompiledPolicy, subject: Subject) -> bool:
    """Whether an approval may remember this person's device."""
    return policy.remember_for is not None and policy.never_remembered.isdisjoint(subject.groups)


def _conditions(
    prompts: dict[Condition, Prompt],
    policy: CompiledPolicy,
    subject: Subject,
    sensitive: bool,
    signals: Signals,
    now: int,
) -> tuple[list[Reason], list[Reason]]:
    """The conditions that hold, as reasons to ask; and what was recognised where one does not."""
    risky: list[Reason] = []
    recognised: list[Reason] = []
    for condition, prompt in prompts.items():
        if condition is Condition.SENSITIVE_ACTION:
            (risky if sensitive else recognised).append(_SENSITIVE[prompt] if sensitive else _ORDINARY)
            continue
        if condition is Condition.NEW_DEVICE:
            detail, known = _new_device(policy, subject, signals, now), _REMEMBERED
        else:
            detail, known = (None if signals.place == "known" else _PLACE[signals.place]), _KNOWN_PLACE
        if detail is None:
            recognised.append(known)
        else:
            risky.append(Reason(condition.value, None, prompt.value, detail))
    return risky, recognised


def _new_device(policy: CompiledPolicy, subject: Subject, signals: Signals, now: int) -> str | None:
    """Why this device counts as new; None if an approval remembered it and may still be relied on."""
    if signals.device != "remembered":
        return _DEVICE[signals.device]
    if not may_remember(policy, subject):
        return "the policy remembers no devices of somebody in these groups"
    remembered_at = signals.remembered_at
    # A time that is still to come tells of a clock that was set back, and proves nothing.
    if remembered_at is None or policy.remember_for is None or not 0 <= now - remembered_at < policy.remember_for:
        return "this browser was remembered longer ago than the policy relies on"
    return None


def _mismatch(policy: CompiledPolicy) -> Reason:
    prompt = (policy.prompts or {}).get(Condition.NEW_LOCATION, Prompt.PROMPT_MFA)
    detail = "the prompt was opened from another address than the application named"
    return Reason("address_mismatch", None, prompt.value, detail)
