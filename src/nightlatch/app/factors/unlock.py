"""Let a factor be used again that stopped: after too many wrong answers (H1), or a phone after its owner's no (P5).

Whoever can prove another factor needs nobody for it. Whose phone is their only way needs an operator, who made sure of
whom they talk to; it proves nothing about that person, and changes no way to sign in.
"""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import factor_event
from nightlatch.app.factors.find import owned
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.notices.notices import way_unlocked
from nightlatch.app.users.reference import active, user_key
from nightlatch.domain import throttle
from nightlatch.domain.factors import push
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Factor, FactorStatus, Record
from nightlatch.domain.throttle import Lane
from nightlatch.ports.store import Change, Snapshot


async def unlock_factor(ports: Ports, caller: Caller, ref: str, factor_id: str) -> bool:
    """Lift what stopped an active factor, and tell its owner by mail; False where nothing did.

    A no on one phone stops all of a person's phones, and with one all of them are freed. Raises ``NotFound``,
    ``Conflict`` for a disabled user.
    """

    async def decide(snapshot: Snapshot) -> Decided[bool]:
        now = ports.clock.now()
        user = active(snapshot)
        factor = owned(snapshot, factor_id)
        freed = _freed(snapshot, factor) if factor.status is FactorStatus.ACTIVE else ()
        if not freed:
            return None, False
        event = factor_event(
            ports,
            caller,
            now,
            "factor:unlocked",
            user,
            factor,
            data={"phones": [record.id for record in freed if isinstance(record, Factor)]},
        )
        change = Change(
            root=user.id,
            expected=snapshot.version,
            puts=freed,
            new=way_unlocked(ports, user, factor, now),
            events=(event,),
        )
        return change, True

    return await transact(ports.store, user_key(ref), decide)


def _freed(snapshot: Snapshot, factor: Factor) -> tuple[Record, ...]:
    """The rows that stopped this factor, as they are without it."""
    state = snapshot.states.get(factor.id)
    stopped = state is not None and throttle.is_stopped(state, Lane.OTHER)
    counted = (throttle.unlock(state),) if state is not None and stopped else ()
    if factor.kind is not FactorKind.PUSH:
        return counted
    phones = ((f, push.state_of(f.public)) for f in snapshot.factors if f.kind is FactorKind.PUSH)
    return (*counted, *(replace(f, public=push.unlocked(kept).public()) for f, kept in phones if kept.locked))
