"""Policy's decision on one attempt: a pure function, the same for live sign-ins and for a document beside them."""

from __future__ import annotations

import msgspec

from nightlatch.domain.assurance import Assurance, highest, satisfies
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.registry import by_strength
from nightlatch.domain.policy.compiled import MANAGE_FACTORS, CompiledPolicy, reach
from nightlatch.domain.policy.decision import Confirmation, Context, Decision, Reason, Signals, Subject
from nightlatch.domain.policy.document import Confirm
from nightlatch.domain.policy.needs import LEVELS, Need, holds_factor, may_remember, needs
from nightlatch.domain.policy.service_accounts import decide_service
from nightlatch.domain.time import MINUTE, rfc3339

MAX_AGE = 5 * MINUTE
"""How long after ``auth_time`` an approval that must be fresh may be used."""

_DISABLED = Reason("user_disabled", None, "deny", "this user is disabled")
_UNKNOWN = Reason("user_unknown", None, "deny", "there is no such user")
_ACR_UNKNOWN = Reason("acr_unknown", None, "deny", "the application asked for a level that does not exist")
_STEP_UP = Reason("manage_factors", None, "require_mfa", "changing factors needs the best that the present ones prove")
_REFUSED_IN_GRACE = Reason(
    "grace_period", None, "deny", "sensitive actions are refused until a factor is added, even in the grace period"
)
_NO_GRACE = Reason("grace_period", None, "enroll", "a factor must be added now: there is no grace period")
_NOT_SKIPPABLE = Reason(
    "grace_period", None, "enroll", "a factor must be added now: the grace period does not cover this"
)
_TOO_WEAK = Reason(
    "factor_not_sufficient", None, "enroll", "no active factor is allowed and reaches the required level"
)


def decide(policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals, now: int) -> Decision:
    """What policy says about this attempt at ``now`` (µs). Never raises; what is unknown or missing is risky."""
    decision = _decide(policy, subject, context, signals, now)
    if policy.report_only is None:
        return decision
    beside = _decide(policy.report_only, subject, context, signals, now)
    return msgspec.structs.replace(decision, report_only=beside)


def _decide(policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals, now: int) -> Decision:
    if subject.disabled:
        return _refuse(policy, policy.default, _DISABLED)
    if context.acr is not None and context.acr not in LEVELS:
        return _refuse(policy, policy.default, _ACR_UNKNOWN)
    if not subject.known:
        return _nobody(policy, subject, context, signals, now)
    if subject.kind != "person":
        return decide_service(policy, subject, context, now)
    need = needs(policy, subject, context, signals, now)
    holds = holds_factor(subject)
    if holds and context.action == MANAGE_FACTORS:
        return _step_up(policy, subject, context, need)
    if not need.asked:
        return Decision(outcome="allow", acr_required=need.level, reasons=need.reasons, policy_version=policy.version)
    if holds:
        return _with_factor(policy, subject, context, signals, need)
    return _without_factor(policy, subject, context, signals, need, now)


def _nobody(policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals, now: int) -> Decision:
    """The answer for a name that nobody has: as for somebody without factors, but never a way in (H6)."""
    stranger = Subject(user_id=subject.user_id)
    need = needs(policy, stranger, context, signals, now)
    if need.asked:
        decision = _without_factor(policy, stranger, context, signals, need, now)
        if decision.outcome == "enroll" and not decision.skippable:
            return msgspec.structs.replace(decision, grace_starts=False)
    return _refuse(policy, need.level, *need.reasons, _UNKNOWN)


def _with_factor(policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals, need: Need) -> Decision:
    usable = tuple(
        kind
        for kind in policy.kinds
        if kind in subject.active and satisfies(reach(kind, context.first_factor), need.level)
    )
    # Backup codes stand in for a factor that counts; once none does, they would only put off its replacement.
    if all(kind is FactorKind.BACKUP_CODES for kind in usable):
        return _enroll(policy, subject, context, signals, need, (*need.reasons, _TOO_WEAK))
    return Decision(
        outcome="challenge",
        acr_required=need.level,
        reasons=need.reasons,
        policy_version=policy.version,
        grace_starts=subject.grace_started_at is None,
        fresh=need.fresh,
        max_age=MAX_AGE if need.fresh else None,
        allowed_kinds=usable,
        remember_for=_remember_for(policy, subject, signals),
    )


def _without_factor(
    policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals, need: Need, now: int
) -> Decision:
    started = subject.grace_started_at
    first = policy.document.first_factor
    deadline = None
    if need.covered and policy.grace and not subject.operator:
        deadline = (now if started is None else started) + policy.grace
    in_grace = deadline is not None and now < deadline
    if in_grace and need.sensitive:
        refused = _refuse(policy, need.level, *need.reasons, _REFUSED_IN_GRACE)
        return msgspec.structs.replace(refused, grace_ends_at=deadline, grace_starts=started is None)
    skippable = in_grace and need.floor is Assurance.AAL1 and not signals.address_mismatch
    reasons = (*need.reasons, _grace_reason(deadline, in_grace, skippable))
    decision = _enroll(policy, subject, context, signals, need, reasons)
    if decision.outcome == "deny":
        return decision
    return msgspec.structs.replace(
        decision,
        grace_ends_at=deadline,
        skippable=skippable,
        confirmation=confirmation_of(first.confirm, address_mismatch=signals.address_mismatch),
        hold=first.hold,
    )


def _enroll(
    policy: CompiledPolicy,
    subject: Subject,
    context: Context,
    signals: Signals,
    need: Need,
    reasons: tuple[Reason, ...],
) -> Decision:
    """Ask for a factor to be added, or deny where no factor that can be added would do."""
    kinds = tuple(
        kind
        for kind in policy.enrollable
        if satisfies(reach(kind, context.first_factor), need.level) and _may_add(policy, subject, kind)
    )
    if not kinds:
        return _refuse(policy, need.level, *reasons, _unreachable(need.level, context))
    return Decision(
        outcome="enroll",
        acr_required=need.level,
        reasons=reasons,
        policy_version=policy.version,
        grace_starts=subject.grace_started_at is None,
        fresh=need.fresh,
        max_age=MAX_AGE if need.fresh else None,
        allowed_kinds=kinds,
        remember_for=_remember_for(policy, subject, signals),
    )


def _may_add(policy: CompiledPolicy, subject: Subject, kind: FactorKind) -> bool:
    """Whether a kind may be added to what somebody has: texts never as the only way in, unless a document says so (S7)."""
    if kind is not FactorKind.SMS or not policy.document.factors.sms_only_with_alternative:
        return True
    return any(held not in (FactorKind.SMS, FactorKind.BACKUP_CODES) for held in subject.active)


def _step_up(policy: CompiledPolicy, subject: Subject, context: Context, need: Need) -> Decision:
    """Changing factors takes the highest level that the present ones reach, and so never asks for one yet to be added.

    Factors that the policy no longer allows count only for somebody who has no other, or nobody could replace them.
    """
    held = [kind for kind in policy.kinds if kind in subject.active]
    if all(kind is FactorKind.BACKUP_CODES for kind in held):
        held = by_strength(kind for kind in FactorKind if kind in subject.active)
    level = highest(reach(kind, context.first_factor) for kind in held)
    requested = LEVELS[context.acr] if context.acr is not None else Assurance.AAL1
    if not held or not satisfies(level, requested):
        return _refuse(policy, requested, *need.reasons, _unreachable(requested, context))
    return Decision(
        outcome="challenge",
        acr_required=level,
        reasons=(_STEP_UP,),
        policy_version=policy.version,
        grace_starts=subject.grace_started_at is None,
        fresh=True,
        max_age=MAX_AGE,
        allowed_kinds=tuple(kind for kind in held if reach(kind, context.first_factor) is level),
    )


def _remember_for(policy: CompiledPolicy, subject: Subject, signals: Signals) -> int | None:
    return policy.remember_for if may_remember(policy, subject) and not signals.address_mismatch else None


def _refuse(policy: CompiledPolicy, level: Assurance, *reasons: Reason) -> Decision:
    return Decision(outcome="deny", acr_required=level, reasons=reasons, policy_version=policy.version)


def _unreachable(level: Assurance, context: Context) -> Reason:
    alone = (
        "" if context.first_factor == "pwd" else ", and the application has no first factor that would count with one"
    )
    return Reason("assurance_unreachable", None, "deny", f"no allowed factor reaches {level}{alone}")


def _grace_reason(deadline: int | None, in_grace: bool, skippable: bool) -> Reason:
    if deadline is None:
        return _NO_GRACE
    if not in_grace:
        return Reason("grace_period", None, "enroll", f"the grace period ended at {rfc3339(deadline)}")
    if not skippable:
        return _NOT_SKIPPABLE
    return Reason("grace_period", None, "enroll", f"adding a factor may be put off until {rfc3339(deadline)}")


def confirmation_of(confirm: Confirm, *, address_mismatch: bool) -> Confirmation:
    """What adding a first factor needs: what the document says, and more where the browser is not where it was told."""
    if confirm is Confirm.NONE and address_mismatch:
        # A risky context may not add a first factor on the password alone.
        return Confirm.VERIFIED_ADDRESS.value
    return confirm.value
