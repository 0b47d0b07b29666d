"""A phone, asked from the hosted prompt; the prompt shows the number and waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nightlatch.app.challenge import begin_challenge
from nightlatch.app.context import Ports
from nightlatch.app.kernel import Decided
from nightlatch.app.prompt.session import BEGUN, DECOY_PHONE, Seat, Visit, move, take_seat
from nightlatch.app.prompt.setup import begun
from nightlatch.app.push.caller import phone_key
from nightlatch.app.push.enroll import PairingView, pairing_view
from nightlatch.app.push.nobody import phone_of_nobody
from nightlatch.app.push.sign_in import last_push, number_of
from nightlatch.app.texting import Permission
from nightlatch.domain.errors import Invalid, Refusal
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import is_open, state_of
from nightlatch.domain.records import Challenge
from nightlatch.ports.store import Snapshot

PushStage = Literal["waiting", "approved", "denied", "not_me", "wrong_number", "expired"]


@dataclass(frozen=True, slots=True)
class PushView:
    """A push as the page shows it. ``number`` while it waits; ``expires_at`` is an instant (µs)."""

    challenge_id: str
    factor_id: str
    state: PushStage
    number: str | None
    expires_at: int


async def start_push(ports: Ports, visit: Visit, *, factor_id: str, remember: bool) -> None:
    """Ask the phone that the person chose; the number is then in ``view_push``.

    Raises ``Elsewhere``, ``Conflict`` for a sign-in that is over and, ``push_locked``, for a phone that is asked no
    more, ``Throttled``, ``Invalid`` for a way that is not on offer.
    """

    async def decide(seat: Seat) -> Decided[Challenge | Refusal]:
        if all(f.id != factor_id or f.kind is not FactorKind.PUSH for f in seat.snapshot.factors):
            raise Invalid.field("/factor", "no_such_factor", "This phone is not on offer.")
        return await begin_challenge(
            ports,
            seat.caller,
            seat.snapshot,
            seat.authentication,
            factor_id,
            Permission(),
            ports.clock.now(),
            remember=remember and not seat.peer_differs,
        )

    asked = await move(ports, visit, decide)
    await ports.wakeups.notify(phone_key(asked.factor_id))


async def view_push(ports: Ports, visit: Visit) -> PushView | None:
    """The push that was started last, and how it stands; None where none was. Raises ``Elsewhere``."""
    seat = await take_seat(ports, visit)
    challenge = last_push(seat.snapshot)
    return None if challenge is None else push_view(ports, seat.snapshot, challenge)


async def view_pairing(ports: Ports, visit: Visit) -> PairingView | None:
    """How the phone stands that is being paired here; None where none is. Raises ``Elsewhere``."""
    seat = await take_seat(ports, visit)
    if not begun(seat, ports.clock.now()):
        return None
    if DECOY_PHONE in seat.ticket.data:
        found = await phone_of_nobody(ports, seat.ticket.data[BEGUN])
        return None if found is None else pairing_view(ports, found[1])
    factor = next((f for f in seat.snapshot.factors if f.id == seat.ticket.data[BEGUN]), None)
    return pairing_view(ports, factor) if factor is not None and factor.kind is FactorKind.PUSH else None


def push_view(ports: Ports, snapshot: Snapshot, challenge: Challenge) -> PushView:
    """A push as the page that started it shows it."""
    stage = _stage(snapshot, challenge, ports.clock.now())
    return PushView(
        challenge_id=challenge.id,
        factor_id=challenge.factor_id,
        state=stage,
        number=number_of(ports, challenge) if stage == "waiting" else None,
        expires_at=challenge.expires_at,
    )


def _stage(snapshot: Snapshot, challenge: Challenge, now: int) -> PushStage:
    if challenge.status is not None:
        stage: PushStage = challenge.status  # type: ignore[assignment]  # written by outcome.py, in these words
        return stage
    factor = next((factor for factor in snapshot.factors if factor.id == challenge.factor_id), None)
    waits = factor is not None and is_open(state_of(factor.public), challenge.id, now)
    return "waiting" if waits else "expired"
