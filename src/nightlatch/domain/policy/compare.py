"""What a new document weakens, in sentences: whoever can replace the policy must not do so unnoticed."""

from __future__ import annotations

from collections.abc import Iterator

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.policy.compiled import LOGIN
from nightlatch.domain.policy.document import Condition, Confirm, PolicyDocument, Prompt
from nightlatch.domain.policy.durations import write

_STRONG = frozenset({FactorKind.WEBAUTHN})
"""Kinds whose being allowed makes nothing weaker: nobody can be talked out of a passkey."""

_NOT_ASKED = -1
_PROMPTS = (Prompt.PROMPT_MFA, Prompt.REQUIRE_MFA)
_CONFIRMS = tuple(Confirm)


def weakens(old: PolicyDocument, new: PolicyDocument) -> list[str]:
    """Everything in which ``new`` asks less, or of fewer people, than ``old``; empty if nothing.

    ``report_only`` changes no answer and is not looked at.
    """
    return [
        *_who(old, new),
        *_prompting(old, new),
        *_actions(old, new),
        *_levels(old, new),
        *_factors(old, new),
        *_devices(old, new),
        *_first_factor(old, new),
        *_recovery(old, new),
    ]


def _who(old: PolicyDocument, new: PolicyDocument) -> Iterator[str]:
    before, after = old.mfa_enforcement, new.mfa_enforcement
    if before.all_users and not after.all_users:
        yield "not every person must hold a factor any more"
    if not after.all_users:
        for group in before.groups:
            if group not in after.groups:
                yield f"people in the group {group} need not hold a factor any more"
    if after.grace_period > before.grace_period:
        yield f"the grace period grows from {write(before.grace_period)} to {write(after.grace_period)}"
    if after.exclude_service_accounts and not before.exclude_service_accounts:
        yield "service accounts are let in without a factor"


def _prompting(old: PolicyDocument, new: PolicyDocument) -> Iterator[str]:
    if new.risk_based_prompting is None:
        return
    if old.risk_based_prompting is None:
        yield "a factor is no longer asked for at every sign-in"
        return
    for condition in Condition:
        before, after = old.effect_of(condition), new.effect_of(condition)
        if before is not None and after is None:
            yield f"{condition} asks for nothing any more"
        elif before is not None and after is not None and _PROMPTS.index(after) < _PROMPTS.index(before):
            yield f"{condition} asks for {after} instead of {before}"


def _actions(old: PolicyDocument, new: PolicyDocument) -> Iterator[str]:
    before, after = old.sensitive_actions, new.sensitive_actions
    if before is None and after is not None:
        yield "only the listed actions are sensitive, no longer every action but login"
    for action in before or ():
        if action == LOGIN if after is None else action not in after:
            yield f"the action {action} is not sensitive any more"


def _levels(old: PolicyDocument, new: PolicyDocument) -> Iterator[str]:
    before, after = old.assurance, new.assurance
    if after.default.rank < before.default.rank:
        yield f"the default level falls from {before.default} to {after.default}"
    minimums = {minimum.group: minimum.level for minimum in after.minimum_for_groups}
    for minimum in before.minimum_for_groups:
        level = minimums.get(minimum.group, Assurance.AAL1)
        if level.rank < minimum.level.rank:
            yield f"the minimum for the group {minimum.group} falls from {minimum.level} to {level}"


def _factors(old: PolicyDocument, new: PolicyDocument) -> Iterator[str]:
    for kind in new.factors.allowed:
        if kind not in old.factors.allowed and kind not in _STRONG:
            yield f"factors of the kind {kind} are allowed"
    if old.factors.sms_only_with_alternative and not new.factors.sms_only_with_alternative:
        yield "SMS may be the only way in of a person"


def _devices(old: PolicyDocument, new: PolicyDocument) -> Iterator[str]:
    if new.remember_device.duration > old.remember_device.duration:
        before, after = write(old.remember_device.duration), write(new.remember_device.duration)
        yield f"devices are remembered for {after} instead of {before}"
    for group in old.remember_device.groups_except:
        if group not in new.remember_device.groups_except:
            yield f"devices of people in the group {group} are remembered"


def _first_factor(old: PolicyDocument, new: PolicyDocument) -> Iterator[str]:
    before, after = old.first_factor, new.first_factor
    if _CONFIRMS.index(after.confirm) < _CONFIRMS.index(before.confirm):
        yield f"adding a first factor needs the confirmation {after.confirm} instead of {before.confirm}"
    if after.hold < before.hold:
        yield f"a first factor rests for {write(after.hold)} instead of {write(before.hold)}"


def _recovery(old: PolicyDocument, new: PolicyDocument) -> Iterator[str]:
    before, after = old.recovery, new.recovery
    if after.timeout > before.timeout:
        yield f"an approved recovery may be redeemed for {write(after.timeout)} instead of {write(before.timeout)}"
    if after.cooling_off < before.cooling_off:
        yield f"recoveries cool off for {write(after.cooling_off)} instead of {write(before.cooling_off)}"
