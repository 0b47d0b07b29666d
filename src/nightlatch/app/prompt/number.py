"""Setting up a number from within a sign-in, where policy lets texts be somebody's first way.

Who has no account is led through the same screens; nothing is sent to anybody for it, and no code is right (H6).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.factors.rules import require_no_confirmation, with_states
from nightlatch.app.factors.sms import begin_number, enrolling_code, text_again
from nightlatch.app.kept import keep, kept
from nightlatch.app.kernel import Decided
from nightlatch.app.prompt.session import BEGUN, DECOY, DECOY_PHONE, NUMBER, Seat, Visit, move, take_seat
from nightlatch.app.prompt.setup import begun, require_setup
from nightlatch.app.step_up import Leave
from nightlatch.app.text_view import TextView, view_text
from nightlatch.app.texting import Permission, too_many
from nightlatch.domain.errors import Conflict, Invalid, Throttled
from nightlatch.domain.factors import sms
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.sms import CODE_LIFE, MOST_SENDS, Number
from nightlatch.domain.fields import Problems
from nightlatch.domain.ids import FACTOR
from nightlatch.domain.records import Factor, FactorStatus
from nightlatch.domain.time import whole_seconds
from nightlatch.ports.store import Change
from nightlatch.ports.texting import SendRequest


class Unsent(msgspec.Struct, frozen=True, kw_only=True):
    """The text that nobody gets, in the notes of a stranger's session. ``asked``: the question before it, sealed."""

    hint: str
    asked: str
    sends: int = 0
    sent_at: int = 0
    resend_after: int = 0


def may_text(seat: Seat) -> bool:
    """Whether this sign-in may set a number up."""
    return FactorKind.SMS.value in seat.authentication.allowed_kinds and seat.authentication.decision == "enroll"


async def begin_prompt_number(ports: Ports, visit: Visit, text: str) -> None:
    """Begin a number and text its first code; whatever else was begun here is dropped.

    Raises ``Elsewhere``, ``Invalid`` for a number that gets no texts, ``Conflict``, and what ``Texting.permit`` does.
    """
    problems = Problems()
    wanted = problems.take("/phone", partial(sms.number, voip=ports.texting.voip_numbers), text, None)
    problems.refuse()
    if wanted is None:
        raise Invalid
    permission = Permission()

    async def decide(seat: Seat) -> Decided[None]:
        now = ports.clock.now()
        require_setup(seat, now)
        if not may_text(seat):
            raise Conflict("This sign-in sets no number up.", code="not_enrolling")
        require_no_confirmation(await ports.policies.current(), elsewhere=seat.peer_differs)
        if seat.snapshot.user is None:
            return await _unsent(ports, seat, wanted, permission, now), None
        change, enrolled = await begin_number(
            ports,
            seat.caller,
            seat.snapshot,
            wanted,
            None,
            Leave(approved=False),
            permission,
            now,
            application_id=seat.authentication.application_id,
        )
        dropped = [record for record in with_states(seat.snapshot, _begun(seat)) if record not in change.deletes]
        note = seat.note(**{BEGUN: enrolled.id})
        return msgspec.structs.replace(change, puts=(*change.puts, note), deletes=(*change.deletes, *dropped)), None

    await move(ports, visit, decide)


async def prompt_number_again(ports: Ports, visit: Visit) -> None:
    """Text the number that was begun here another code."""
    permission = Permission()

    async def decide(seat: Seat) -> Decided[None]:
        now = ports.clock.now()
        require_setup(seat, now)
        factor_id = seat.ticket.data.get(BEGUN)
        if factor_id is None:
            raise Conflict("Nothing is being set up.", code="not_begun")
        if seat.snapshot.user is None:
            return await _unsent_again(ports, seat, permission, now), None
        application_id = seat.authentication.application_id
        change, _ = await text_again(
            ports, seat.caller, seat.snapshot, factor_id, permission, now, application_id=application_id
        )
        return change, None

    await move(ports, visit, decide)


async def view_prompt_number(ports: Ports, visit: Visit) -> tuple[str, TextView | None] | None:
    """The number that is being set up here, masked, and how its text stands. Raises ``Elsewhere``."""
    seat = await take_seat(ports, visit)
    now = ports.clock.now()
    if not begun(seat, now):
        return None
    if NUMBER in seat.ticket.data:
        unsent = _unsent_of(seat)
        return unsent.hint, _view(unsent, now)
    factor = next((f for f in _begun(seat) if f.kind is FactorKind.SMS), None)
    return None if factor is None else (factor.public["hint"], await view_text(ports, enrolling_code(factor)))


def is_number(seat: Seat) -> bool:
    """Whether it is a number that was begun here."""
    return NUMBER in seat.ticket.data or any(factor.kind is FactorKind.SMS for factor in _begun(seat))


def _begun(seat: Seat) -> list[Factor]:
    factor_id = seat.ticket.data.get(BEGUN)
    return [f for f in seat.snapshot.factors if f.id == factor_id and f.status is FactorStatus.PENDING]


async def _unsent(ports: Ports, seat: Seat, number: Number, permission: Permission, now: int) -> Change:
    """As for somebody, with the same question before; and then nothing is sent."""
    request = SendRequest(
        user_id=seat.authentication.user_id,
        number=number.e164,
        prefix=number.prefix,
        country=number.country,
        application_id=seat.authentication.application_id,
        trusted=False,
    )
    await permission.ask(ports, seat.snapshot.version, request, setting_up=True)
    asked = keep(ports, seat.authentication.user_id, NUMBER, msgspec.json.encode(request))
    note = _noted(Unsent(hint=number.hint, asked=asked), permission, now)
    named = {BEGUN: ports.new_id(FACTOR, now), NUMBER: note, DECOY: None, DECOY_PHONE: None}
    return Change(root=seat.authentication.root, expected=seat.snapshot.version, puts=(seat.note(**named),))


async def _unsent_again(ports: Ports, seat: Seat, permission: Permission, now: int) -> Change:
    before = _unsent_of(seat)
    if before.sends >= MOST_SENDS:
        raise too_many()
    if now < before.resend_after:
        raise Throttled(retry_after=whole_seconds(before.resend_after - now))
    asked = kept(ports, seat.authentication.user_id, NUMBER, before.asked)
    request = msgspec.json.decode(asked, type=SendRequest)
    await permission.ask(ports, seat.snapshot.version, request, setting_up=True)
    note = seat.note(**{NUMBER: _noted(before, permission, now)})
    return Change(root=seat.authentication.root, expected=seat.snapshot.version, puts=(note,))


def _noted(unsent: Unsent, permission: Permission, now: int) -> dict[str, Any]:
    sends = permission.sends
    told = msgspec.structs.replace(unsent, sends=sends, sent_at=now, resend_after=now + sms.resend_wait(sends))
    noted: dict[str, Any] = msgspec.to_builtins(told)
    return noted


def _unsent_of(seat: Seat) -> Unsent:
    return msgspec.convert(seat.ticket.data[NUMBER], Unsent)


def _view(unsent: Unsent, now: int) -> TextView | None:
    if not unsent.sent_at <= now < unsent.sent_at + CODE_LIFE:
        return None
    return TextView(
        expires_at=unsent.sent_at + CODE_LIFE,
        resend_at=unsent.resend_after if unsent.sends < MOST_SENDS else None,
        failed=False,
        sent=True,
    )
