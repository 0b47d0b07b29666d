"""Texts on a person's own page: a code that proves who they are, and a number that is set up."""

from __future__ import annotations

from functools import partial

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.events import make_event
from nightlatch.app.factors.rules import may_add
from nightlatch.app.factors.sms import begin_number, enrolling_code, text_again
from nightlatch.app.kernel import Decided
from nightlatch.app.portal.changes import begun_factor
from nightlatch.app.portal.prove import proving_factors
from nightlatch.app.portal.session import BEGUN, Room, move
from nightlatch.app.text_view import TextView, view_text
from nightlatch.app.texting import TEXTS, Occasion, Permission, sent_code, text_code
from nightlatch.domain.errors import Conflict, Invalid, NotFound
from nightlatch.domain.factors import sms
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.sms import CODE_LIFE, SentCode
from nightlatch.domain.fields import Problems
from nightlatch.domain.records import Factor
from nightlatch.ports.store import Change


async def send_proof(ports: Ports, token: str | None, factor_id: str) -> None:
    """Text a code by which the person can prove who they are here.

    Raises ``SignedOut``, ``NotFound`` for a way that proves nothing here, and what ``text_code`` does.
    """
    permission = Permission()

    async def decide(room: Room) -> Decided[None]:
        now = ports.clock.now()
        factor = next((f for f in await proving_factors(ports, room) if f.id == factor_id), None)
        if factor is None or factor.kind is not FactorKind.SMS:
            raise NotFound
        return await _proof(ports, room, factor, permission, now), None

    await move(ports, token, decide)


async def view_proof(ports: Ports, room: Room, factor_id: str) -> TextView | None:
    """How that text stands; None where none was sent."""
    factor = next((f for f in room.snapshot.factors if f.id == factor_id), None)
    if factor is None:
        return None
    return await view_text(ports, sent_code(room.snapshot, factor)[0])


async def may_text(ports: Ports, room: Room) -> bool:
    """Whether this person may set a number up, as far as policy says."""
    return may_add(await ports.policies.current(), room.snapshot, FactorKind.SMS)


async def begin_text_number(ports: Ports, token: str | None, text: str) -> None:
    """Begin to set up a number, and text its first code.

    Raises ``Invalid`` for a number that gets no texts, ``StepUpRequired``, ``Conflict``, and what ``Texting.permit``
    does.
    """
    problems = Problems()
    wanted = problems.take("/phone", partial(sms.number, voip=ports.texting.voip_numbers), text, None)
    problems.refuse()
    if wanted is None:
        raise Invalid
    permission = Permission()

    async def decide(room: Room) -> Decided[None]:
        now = ports.clock.now()
        leave = room.leave(now)
        change, enrolled = await begin_number(
            ports,
            room.caller,
            room.snapshot,
            wanted,
            None,
            leave,
            permission,
            now,
            application_id=room.ticket.application_id,
        )
        return _with(change, room, enrolled.id), None

    await move(ports, token, decide)


async def number_again(ports: Ports, token: str | None) -> None:
    """Text the number that is being set up another code."""
    permission = Permission()

    async def decide(room: Room) -> Decided[None]:
        now = ports.clock.now()
        factor = begun_factor(room, now)
        if factor is None:
            raise Conflict("Nothing is being set up.", code="not_begun")
        change, _ = await text_again(
            ports, room.caller, room.snapshot, factor.id, permission, now, application_id=room.ticket.application_id
        )
        return change, None

    await move(ports, token, decide)


async def view_number(ports: Ports, room: Room) -> tuple[str, TextView | None] | None:
    """The number that is being set up, masked, and how its text stands; None where there is none."""
    factor = begun_factor(room, ports.clock.now())
    if factor is None or factor.kind is not FactorKind.SMS:
        return None
    return factor.public["hint"], await view_text(ports, enrolling_code(factor))


async def _proof(ports: Ports, room: Room, factor: Factor, permission: Permission, now: int) -> Change:
    kept = room.ticket.data.get(TEXTS, {})
    before, context = sent_code(room.snapshot, factor)
    application_id = room.ticket.application_id
    occasion = Occasion(
        about=factor.id,
        context=context,
        purpose="sign_in",
        name=ports.site.organization,
        application_id=application_id,
        before=before,
        sends=sum(sent.sends for sent in map(SentCode.of_data, kept.values()) if sent is not None),
        life=min(CODE_LIFE, room.ticket.expires_at - now),
    )
    texted = await text_code(ports, permission, room.snapshot, room.user, factor, occasion, now)
    sent = msgspec.structs.replace(texted.sent, sends=(before.sends if before else 0) + 1)
    event = make_event(
        ports,
        room.caller,
        now,
        "portal:code_sent",
        outcome="info",
        user=room.user,
        application_id=application_id,
        factor_id=factor.id,
        factor_kind=factor.kind.value,
        data={"sends": occasion.sends + 1},
    )
    note = room.note(**{TEXTS: {**kept, factor.id: sent.to_data()}})
    return Change(root=room.user.id, expected=room.snapshot.version, puts=(note,), new=texted.new, events=(event,))


def _with(change: Change, room: Room, factor_id: str) -> Change:
    return msgspec.structs.replace(change, puts=(*change.puts, room.note(**{BEGUN: factor_id})))
