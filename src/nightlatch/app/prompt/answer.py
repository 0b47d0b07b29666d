"""A code, typed into the prompt."""

from __future__ import annotations

from nightlatch.app.answer import Answered, decide_answer
from nightlatch.app.context import Ports
from nightlatch.app.kernel import Decided
from nightlatch.app.notices.refusals import note_refused
from nightlatch.app.prompt.better import nudged
from nightlatch.app.prompt.session import Seat, Visit, move


async def answer_prompt(ports: Ports, visit: Visit, *, factor_id: str, code: str, remember: bool) -> Answered:
    """Judge one code against the way that the person chose.

    A browser from another network than the application told is never remembered. Raises
    ``Elsewhere``, ``Conflict`` for what is decided already, ``Throttled`` for one of a crowd.
    """

    async def decide(seat: Seat) -> Decided[Answered]:
        change, answered = await decide_answer(
            ports,
            seat.caller,
            seat.snapshot,
            seat.authentication,
            code,
            factor_id=factor_id,
            remember=remember and not seat.peer_differs,
        )
        if change is not None:
            change = await nudged(ports, seat, change, answered, ports.clock.now())
        return change, answered

    answered = await move(ports, visit, decide)
    await note_refused(ports, answered.user, answered.told_of)
    return answered
