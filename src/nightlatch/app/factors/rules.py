"""What policy and numbers allow of a user's factors."""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.app.deciding import active_factors
from nightlatch.app.step_up import Leave
from nightlatch.app.users.reference import active
from nightlatch.domain.errors import Conflict, Invalid, Refusal, StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.registry import spec_of
from nightlatch.domain.policy.compiled import CompiledPolicy
from nightlatch.domain.policy.evaluate import confirmation_of
from nightlatch.domain.records import Factor, FactorState, FactorStatus, Record, User, UserKind
from nightlatch.domain.time import MINUTE, holds
from nightlatch.ports.store import Snapshot

PENDING_LIFE = 10 * MINUTE
"""B2: what was begun and not proved is dead after it."""

WEAK = (FactorKind.SMS, FactorKind.BACKUP_CODES)
"""Kinds beside which something better must stand."""

MOST_PENDING = 5
MOST_FACTORS = 20


def backup_code_count(policy: CompiledPolicy) -> int:
    """How many backup codes a set has; 0 where policy lets none answer."""
    return policy.document.recovery.backup_codes if FactorKind.BACKUP_CODES in policy.kinds else 0


def require_kind(policy: CompiledPolicy, kind: FactorKind) -> None:
    """Raise ``Invalid`` unless this kind can be enrolled here, and policy allows it."""
    if kind is FactorKind.BACKUP_CODES:
        raise Invalid.field("/kind", "kind_not_enrollable", "Backup codes are made by POST …/backup-codes.")
    spec = spec_of(kind)
    if spec is None or not spec.enrollable:
        raise Invalid.field("/kind", "kind_not_available", "This kind does not work here; push, totp, hotp and sms do.")
    if kind not in policy.enrollable:
        raise Invalid.field("/kind", "kind_not_allowed", "The policy in force does not allow this kind.")


def require_alternative(policy: CompiledPolicy, snapshot: Snapshot, kind: FactorKind) -> None:
    """Raise ``Conflict`` where policy wants something better beside texts, and this user has nothing (S7)."""
    if kind is not FactorKind.SMS or not policy.document.factors.sms_only_with_alternative:
        return
    if not any(factor.kind not in WEAK for factor in active_factors(snapshot)):
        raise Conflict(
            "The policy in force allows texts only beside another factor. Enrol an authenticator app first.",
            code="sms_needs_alternative",
        )


def may_add(policy: CompiledPolicy, snapshot: Snapshot, kind: FactorKind) -> bool:
    """Whether policy lets this user add a factor of this kind."""
    try:
        require_kind(policy, kind)
        require_alternative(policy, snapshot, kind)
    except Refusal:
        return False
    return True


async def require_may_begin(ports: Ports, snapshot: Snapshot, kind: FactorKind, leave: Leave, now: int) -> User:
    """The user, if a factor of this kind may be begun. ``leave`` says on whose word.

    Raises ``Invalid``, ``Conflict`` and ``StepUpRequired``.
    """
    user = active(snapshot)
    require_person(user)
    if not leave.approved and active_factors(snapshot):
        raise StepUpRequired
    policy = await ports.policies.current()
    require_kind(policy, kind)
    require_alternative(policy, snapshot, kind)
    if not leave.approved:
        require_no_confirmation(policy)
    require_room(snapshot, now)
    return user


def require_no_confirmation(policy: CompiledPolicy, *, elsewhere: bool = False) -> None:
    """Raise ``Conflict`` where policy asks for more before a first factor counts than a key or a prompt can give.

    ``elsewhere``: the browser is in another network than the application told.
    """
    first = policy.document.first_factor
    if first.hold or confirmation_of(first.confirm, address_mismatch=elsewhere) != "none":
        raise Conflict(
            "The policy in force wants a first factor to be confirmed, which this call cannot do.",
            code="confirmation_required",
        )


def require_person(user: User) -> None:
    """Raise ``Invalid`` for a service account: it proves itself by where it calls from and for how long."""
    if user.kind is not UserKind.PERSON:
        raise Invalid("A service account has no factors.", code="service_account_has_no_factors")


def alive(factor: Factor, now: int) -> bool:
    """Whether a factor counts or may still be activated."""
    if factor.status is FactorStatus.ACTIVE or factor.expires_at is None:
        return True
    return holds(factor.created_at, factor.expires_at, now)


def dead_pending(snapshot: Snapshot, now: int) -> tuple[Record, ...]:
    """What was begun and never finished, with its states: deleted with the next change."""
    return with_states(snapshot, [factor for factor in snapshot.factors if not alive(factor, now)])


def with_states(snapshot: Snapshot, factors: list[Factor]) -> tuple[Record, ...]:
    """Factors and the states that go with them."""
    states: list[FactorState] = [snapshot.states[f.id] for f in factors if f.id in snapshot.states]
    return (*factors, *states)


def require_room(snapshot: Snapshot, now: int) -> None:
    """Raise ``Conflict`` when the user has begun or holds as many factors as anybody may."""
    pending = [f for f in snapshot.factors if f.status is FactorStatus.PENDING and alive(f, now)]
    if len(pending) >= MOST_PENDING:
        raise Conflict(
            f"{MOST_PENDING} factors are begun and not activated. Activate or remove one, or wait 10 minutes.",
            code="too_many_pending_factors",
        )
    if len(snapshot.factors) - len(pending) >= MOST_FACTORS:
        raise Conflict(f"A user has at most {MOST_FACTORS} factors. Remove one first.", code="too_many_factors")
