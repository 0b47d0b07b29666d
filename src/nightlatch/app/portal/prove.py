"""Proving a factor on one's own page: it permits changes for five minutes, under a new session (E2, E4)."""

from __future__ import annotations

from dataclasses import dataclass

from nightlatch.app.answer import unlocked_data
from nightlatch.app.context import Ports
from nightlatch.app.deciding import active_factors
from nightlatch.app.events import make_event
from nightlatch.app.judging import Judged, judge
from nightlatch.app.kernel import Decided
from nightlatch.app.notices.notices import code_used
from nightlatch.app.portal.session import Room, move, new_session
from nightlatch.app.step_up import highest_level
from nightlatch.app.ways import Way, way_of
from nightlatch.domain.assurance import FirstFactor, reachable, satisfies
from nightlatch.domain.factors.registry import by_strength
from nightlatch.domain.records import Factor, Record
from nightlatch.domain.throttle import Lane
from nightlatch.ports.store import Change


@dataclass(frozen=True, slots=True)
class Proof:
    """``session`` is the new token; None where the code was refused, and ``judged`` says why."""

    judged: Judged
    session: str | None = None


async def proving_ways(ports: Ports, room: Room) -> tuple[Way, ...]:
    """The ways by which this person can prove who they are here, strongest first."""
    now = ports.clock.now()
    factors = await proving_factors(ports, room)
    return tuple(way_of(factor, room.snapshot.states.get(factor.id), Lane.OTHER, now) for factor in factors)


async def prove(ports: Ports, token: str | None, *, factor_id: str, code: str, peer: str) -> Proof:
    """Judge one code; a right one gives a new session that may change things, and ends the old one.

    Raises ``SignedOut``, ``Throttled`` for one of a crowd.
    """

    async def decide(room: Room) -> Decided[Proof]:
        now = ports.clock.now()
        judged = await judge(
            ports,
            room.snapshot,
            await proving_factors(ports, room),
            code,
            factor_id=factor_id,
            lane=Lane.OTHER,
            now=now,
        )
        return concluded(ports, room, judged, now, peer)

    return await move(ports, token, decide)


def concluded(ports: Ports, room: Room, judged: Judged, now: int, peer: str) -> tuple[Change, Proof]:
    """The change that follows from a judgement: a new session, or the trace of a wrong answer."""
    session: str | None = None
    new: tuple[Record, ...] = ()
    gone: tuple[Record, ...] = ()
    if judged.evidence is not None and judged.factor is not None:
        session, ticket = new_session(ports, room.user, room.ticket, now, proved=judged.factor.id, is_owner=True)
        new, gone = (ticket,), (room.ticket,)
    event = make_event(
        ports,
        room.caller,
        now,
        "portal:proved" if session else "portal:answer_refused",
        outcome="success" if session else "failure",
        user=room.user,
        application_id=room.ticket.application_id,
        factor_id=judged.factor.id if judged.factor else None,
        factor_kind=judged.factor.kind.value if judged.factor else None,
        reason=judged.reason,
        data=unlocked_data(judged),
        personal={"ip": peer},
    )
    change = Change(
        root=room.user.id,
        expected=room.snapshot.version,
        puts=(*judged.states, *judged.records, *judged.unlocked),
        new=(*new, *code_used(ports, room.user, judged.backup_codes_left, now)),
        deletes=gone,
        events=(event,),
    )
    return change, Proof(judged, session)


async def proving_factors(ports: Ports, room: Room) -> tuple[Factor, ...]:
    """The factors that permit changes: those that reach the highest level which this person's factors can reach (B1)."""
    first_factor = await _first_factor(ports, room)
    need = highest_level(room.snapshot, await ports.policies.current(), first_factor)
    fit = [f for f in active_factors(room.snapshot) if satisfies(reachable((f.kind,), first_factor), need)]
    order = by_strength(factor.kind for factor in fit)
    return tuple(sorted(fit, key=lambda factor: (order.index(factor.kind), factor.id)))


async def _first_factor(ports: Ports, room: Room) -> FirstFactor | None:
    """What the application that made the link checks first."""
    application_id = room.ticket.application_id
    kept = await ports.catalog.application(application_id) if application_id else None
    return kept.application.first_factor if kept else None
