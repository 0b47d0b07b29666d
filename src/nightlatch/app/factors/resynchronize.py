"""Bring a HOTP factor that ran ahead back into step, by two codes in a row (T9)."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import factor_event
from nightlatch.app.factors.answers import factor_answer
from nightlatch.app.factors.find import owned
from nightlatch.app.factors.secrets import open_secret
from nightlatch.app.kernel import Decided
from nightlatch.app.messages import FactorAnswer, Resynchronization
from nightlatch.app.settling import settle
from nightlatch.app.users.reference import active, user_key
from nightlatch.domain import throttle
from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.errors import Conflict, Invalid, Refusal, Throttled, Unreadable
from nightlatch.domain.factors import hotp
from nightlatch.domain.factors.base import CodeRejected, FactorKind
from nightlatch.domain.records import Event, Factor, FactorState, FactorStatus, User
from nightlatch.domain.throttle import Lane
from nightlatch.ports.store import Change, Snapshot


async def resynchronize(
    ports: Ports, caller: Caller, ref: str, factor_id: str, request: Resynchronization
) -> FactorAnswer:
    """Move the counter past two codes that follow each other, within 100 presses.

    Wrong ones count against the factor as any wrong answer does. Raises ``NotFound``, ``Conflict`` for another kind of
    factor, ``Invalid`` for wrong codes, ``Throttled``.
    """

    async def decide(snapshot: Snapshot) -> Decided[FactorAnswer | Refusal]:
        now = ports.clock.now()
        user = active(snapshot)
        factor = owned(snapshot, factor_id)
        if factor.kind is not FactorKind.HOTP or factor.status is not FactorStatus.ACTIVE:
            raise Conflict("Only an active HOTP factor has a counter to move.", code="not_resynchronizable")
        state = snapshot.states.get(factor.id) or FactorState(factor_id=factor.id, user_id=user.id, counter=0)
        moved, answer = _judged(ports, factor, state, request, now)
        event = _event(ports, caller, user, factor, answer, now)
        puts = () if moved is None else (moved,)
        return Change(root=user.id, expected=snapshot.version, puts=puts, events=(event,)), answer

    return await settle(ports.store, user_key(ref), decide)


def _judged(
    ports: Ports, factor: Factor, state: FactorState, request: Resynchronization, now: int
) -> tuple[FactorState | None, FactorAnswer | Refusal]:
    """The state to store, if any, and what is answered."""
    try:
        throttle.check(state, Lane.OTHER, now)
        counter = hotp.resynchronise(
            open_secret(ports, factor),
            request.code,
            request.next_code,
            counter=max(0, state.counter),
            digits=int(factor.public.get("digits", 6)),
        )
    except throttle.Throttled as waiting:
        return None, Throttled(retry_after=waiting.retry_after(now))
    except CodeRejected:
        detail = "These are not two codes in a row. Press twice and type both."
        return throttle.after_failure(state, Lane.OTHER, now), Invalid.field("/code", "wrong_code", detail)
    except SealBroken:
        return None, Unreadable()
    proved = replace(throttle.after_success(state), counter=counter, last_used_at=now)
    return proved, factor_answer(factor, proved)


def _event(ports: Ports, caller: Caller, user: User, factor: Factor, answer: FactorAnswer | Refusal, now: int) -> Event:
    failed = isinstance(answer, Refusal)
    return factor_event(
        ports,
        caller,
        now,
        "factor:resynchronization_failed" if failed else "factor:resynchronized",
        user,
        factor,
        outcome="failure" if failed else "success",
        reason=_reason(answer) if isinstance(answer, Refusal) else None,
    )


def _reason(refusal: Refusal) -> str:
    """As the audit log tells it."""
    return "wrong_code" if isinstance(refusal, Invalid) else refusal.code
