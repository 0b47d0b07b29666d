"""A code by text, in the prompt: sent when its owner presses the button, and how it stands."""

from __future__ import annotations

from nightlatch.app.challenge import begin_challenge
from nightlatch.app.context import Ports
from nightlatch.app.kernel import Decided
from nightlatch.app.prompt.session import Seat, Visit, move, take_seat
from nightlatch.app.text_view import TextView, view_text
from nightlatch.app.texting import Permission, challenge_of, code_of
from nightlatch.domain.errors import Invalid, Refusal
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Challenge


async def send_text(ports: Ports, visit: Visit, factor_id: str) -> None:
    """Text a code to the number that the person chose; one that was sent before is dead.

    Raises ``Elsewhere``, ``Invalid`` for a way that is not on offer, ``Throttled`` before its time, ``Conflict`` for a
    sign-in that is decided or has sent five, and what ``Texting.permit`` does.
    """
    permission = Permission()

    async def decide(seat: Seat) -> Decided[Challenge | Refusal]:
        # Another way's challenge begins elsewhere: this one asks no phone.
        if all(f.id != factor_id or f.kind is not FactorKind.SMS for f in seat.snapshot.factors):
            raise Invalid.field("/factor", "no_such_factor", "No text goes to this way.")
        now = ports.clock.now()
        return await begin_challenge(ports, seat.caller, seat.snapshot, seat.authentication, factor_id, permission, now)

    await move(ports, visit, decide)


async def view_sent(ports: Ports, visit: Visit, factor_id: str) -> TextView | None:
    """How the text to this number stands; None where none was sent. Raises ``Elsewhere``."""
    seat = await take_seat(ports, visit)
    return await view_text(ports, code_of(challenge_of(seat.snapshot, factor_id)))
