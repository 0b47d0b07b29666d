"""A phone on the person's own page: pair one, or prove by one that is paired."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.context import Ports
from nightlatch.app.judging import Judged
from nightlatch.app.kernel import Decided
from nightlatch.app.portal.changes import begun_factor
from nightlatch.app.portal.prove import Proof, concluded, proving_factors
from nightlatch.app.portal.session import PUSH, Room, look, move
from nightlatch.app.prompt.push import PushView, push_view
from nightlatch.app.push.caller import phone_key
from nightlatch.app.push.enroll import PairingView, pairing_view
from nightlatch.app.push.opening import Asking, Opened, open_push
from nightlatch.app.push.outcome import evidence_of
from nightlatch.domain.errors import Conflict, Invalid, Refusal
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push_protocol import base64url
from nightlatch.domain.records import Challenge, Factor
from nightlatch.domain.time import MINUTE, holds
from nightlatch.ports.store import Change

PORTAL = "portal"
FETCH_WITHIN = 1 * MINUTE
"""How long after a challenge's end its approval may still be fetched by the page that asked."""


async def start_push(ports: Ports, token: str | None, *, factor_id: str) -> None:
    """Ask a phone to prove whose page this is; the number is then in ``view_push``.

    Raises ``SignedOut``, ``Invalid`` for a phone that does not prove enough, ``Throttled``, ``Conflict`` ``push_locked``.
    """

    async def decide(room: Room) -> Decided[Opened | Refusal]:
        factor = await _proving_phone(ports, room, factor_id)
        asking = await _asking(ports, room)
        change, opened = open_push(ports, room.caller, room.snapshot, room.user, factor, asking, ports.clock.now())
        if isinstance(opened, Opened):
            change = replace(change, puts=(*change.puts, room.note(**{PUSH: opened.challenge.id})))
        return change, opened

    opened = await move(ports, token, decide)
    await ports.wakeups.notify(phone_key(opened.challenge.factor_id))


async def view_push(ports: Ports, token: str | None) -> PushView | None:
    """The push that this page started last, and how it stands; None where it started none. Raises ``SignedOut``."""
    room = await _with_challenge(ports, token)
    challenge = _own(room)
    return None if challenge is None else push_view(ports, room.snapshot, challenge)


async def finish_push(ports: Ports, token: str | None, *, peer: str) -> Proof:
    """Once the phone approved: a new session that may change things, and the old one ends. It works once.

    Raises ``SignedOut``; ``Conflict`` ``not_approved`` where the phone did not approve, or this was fetched before.
    """
    room = await _with_challenge(ports, token)

    async def decide(here: Room) -> Decided[Proof]:
        now = ports.clock.now()
        challenge = _own(here)
        if challenge is None or challenge.status != "approved" or challenge.used_at is not None:
            raise Conflict("The phone has not approved this.", code="not_approved")
        if not holds(challenge.created_at, challenge.expires_at + FETCH_WITHIN, now):
            raise Conflict("This approval is too old.", code="not_approved")
        factor = await _proving_phone(ports, here, challenge.factor_id)
        judged = Judged(factor=factor, evidence=evidence_of(factor, uv=False))
        change, proof = concluded(ports, here, judged, now, peer)
        return _with(change, replace(challenge, used_at=now)), proof

    return await move(ports, token, decide, challenge=room.ticket.data.get(PUSH))


def view_pairing(ports: Ports, room: Room) -> PairingView | None:
    """How the phone stands that is being paired here; None where none is."""
    factor = begun_factor(room, ports.clock.now())
    return pairing_view(ports, factor) if factor is not None and factor.kind is FactorKind.PUSH else None


async def _asking(ports: Ports, room: Room) -> Asking:
    application_id = room.ticket.application_id
    kept = await ports.catalog.application(application_id) if application_id else None
    return Asking(
        purpose="portal",
        origin=base64url(room.ticket.hash),
        application=application_id,
        application_name=kept.application.name if kept else None,
        action=PORTAL,
        action_hash=None,
        known=False,
        ends_at=room.ticket.expires_at,
    )


async def _proving_phone(ports: Ports, room: Room, factor_id: str) -> Factor:
    factors = await proving_factors(ports, room)
    phone = next((f for f in factors if f.id == factor_id and f.kind is FactorKind.PUSH), None)
    if phone is None:
        raise Invalid.field("/factor", "no_such_factor", "This phone proves not enough here.")
    return phone


async def _with_challenge(ports: Ports, token: str | None) -> Room:
    room = await look(ports, token, challenge=None)
    challenge_id = room.ticket.data.get(PUSH)
    return room if challenge_id is None else await look(ports, token, challenge=challenge_id)


def _own(room: Room) -> Challenge | None:
    """The challenge that this very session started."""
    started = room.ticket.data.get(PUSH)
    return next((challenge for challenge in room.snapshot.challenges if challenge.id == started), None)


def _with(change: Change, challenge: Challenge) -> Change:
    return replace(change, puts=(*change.puts, challenge))
