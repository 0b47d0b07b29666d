"""Remove a factor. It is dead at once, and so is every device that it vouched for."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import active_factors
from nightlatch.app.devices import revoked_all
from nightlatch.app.events import factor_event
from nightlatch.app.factors.find import owned
from nightlatch.app.factors.rules import alive, dead_pending, with_states
from nightlatch.app.kernel import Decided
from nightlatch.app.notices.notices import way_removed
from nightlatch.app.settling import settle
from nightlatch.app.step_up import Leave, approval_key, leave_by_approval, refused
from nightlatch.app.users.reference import active
from nightlatch.domain.errors import Refusal, StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Event, Factor, FactorStatus, Record
from nightlatch.ports.store import Change, Snapshot


async def remove_factor(ports: Ports, caller: Caller, ref: str, factor_id: str, approval: str | None) -> None:
    """Remove an active factor, with its owner's approval, or drop a pending one, which never counted.

    Raises ``NotFound``, ``Conflict`` for a disabled user, ``StepUpRequired``.
    """

    async def decide(snapshot: Snapshot) -> Decided[None | Refusal]:
        now = ports.clock.now()
        user = active(snapshot)
        leave = Leave(approved=False)
        if owned(snapshot, factor_id).status is FactorStatus.ACTIVE:
            try:
                leave = await leave_by_approval(ports, caller, snapshot, approval, now)
            except StepUpRequired as refusal:
                return refused(ports, caller, user, snapshot, now, "factor:removed"), refusal
        return await drop_factor(ports, caller, snapshot, factor_id, leave, now)

    await settle(ports.store, approval_key(ref, approval), decide)


async def drop_factor(
    ports: Ports, caller: Caller, snapshot: Snapshot, factor_id: str, leave: Leave, now: int
) -> tuple[Change, None]:
    """The change that removes a factor. ``leave`` says on whose word. Raises ``NotFound``, ``StepUpRequired``."""
    user = active(snapshot)
    factor = owned(snapshot, factor_id)
    counted = factor.status is FactorStatus.ACTIVE
    if counted and not leave.approved:
        raise StepUpRequired
    gone = [factor, *_orphaned_codes(snapshot, factor), *_begun(snapshot, now)] if counted else [factor]
    puts: tuple[Record, ...] = leave.puts
    events: tuple[Event, ...] = tuple(
        factor_event(
            ports,
            caller,
            now,
            "factor:removed",
            user,
            f,
            data={"status": f.status.value, "approval": leave.approval},
        )
        for f in gone
    )
    if counted:
        devices, told = await revoked_all(ports, caller, user, now, reason="factor_removed")
        puts, events = (*puts, *devices), (*events, *told)
    change = Change(
        root=user.id,
        expected=snapshot.version,
        puts=puts,
        new=way_removed(ports, user, factor, now) if counted else (),
        deletes=_once((*with_states(snapshot, gone), *dead_pending(snapshot, now))),
        events=events,
    )
    return change, None


def _orphaned_codes(snapshot: Snapshot, removed: Factor) -> list[Factor]:
    """Backup codes go with the last factor that they stand in for.

    Left alone they would be a factor that runs out, and the next factor would come without new codes, since it would
    not be the first.
    """
    others = [f for f in active_factors(snapshot) if f.id != removed.id]
    if any(f.kind is not FactorKind.BACKUP_CODES for f in others):
        return []
    return others


def _begun(snapshot: Snapshot, now: int) -> list[Factor]:
    """What was begun and not proved goes too (R6): whoever holds the lost factor may have begun it on its word."""
    return [f for f in snapshot.factors if f.status is FactorStatus.PENDING and alive(f, now)]


def _once(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """The records without repeats: an expired factor that is dropped by hand is named twice."""
    kept: list[Record] = []
    for record in records:
        if record not in kept:
            kept.append(record)
    return tuple(kept)
