"""What a person changes on their own page. Everything but names needs proof first (B1, E4)."""

from __future__ import annotations

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.devices import revoked_all
from nightlatch.app.factors.activate import complete_factor, rejection_of
from nightlatch.app.factors.backup_codes import replace_codes
from nightlatch.app.factors.change import change_label
from nightlatch.app.factors.enroll import Wanted, begin_factor
from nightlatch.app.factors.remove import drop_factor
from nightlatch.app.factors.rules import alive
from nightlatch.app.kept import keep
from nightlatch.app.kernel import Decided
from nightlatch.app.messages import ActivatedFactor, Rejection
from nightlatch.app.portal.session import BEGUN, CODES, PROVED_BY, Room, move, new_session
from nightlatch.app.step_up import Leave
from nightlatch.domain import naming
from nightlatch.domain.errors import Conflict, Invalid, Refusal, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.parameters import TotpParameters
from nightlatch.domain.fields import Problems
from nightlatch.domain.records import Factor, Ticket
from nightlatch.ports.store import Change


class TurnedOn(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the code that was to turn a way on. ``session`` is the new token."""

    rejection: Rejection | None = None
    session: str | None = None


async def begin_app(ports: Ports, token: str | None) -> None:
    """Make a secret for an authenticator app; once begun, it stays the same. Raises ``StepUpRequired``."""
    await _begin(ports, token, Wanted(FactorKind.TOTP, None, TotpParameters(), None))


async def _begin(ports: Ports, token: str | None, wanted: Wanted) -> None:
    async def decide(room: Room) -> Decided[None]:
        now = ports.clock.now()
        if begun_factor(room, now) is not None:
            return None, None
        change, enrolled = await begin_factor(ports, room.caller, room.snapshot, wanted, room.leave(now), now)
        return _with(change, room.note(**{BEGUN: enrolled.id})), None

    await move(ports, token, decide)


async def begin_phone(ports: Ports, token: str | None) -> None:
    """Begin to pair a phone; once begun, it stays the same. Raises ``StepUpRequired``."""
    await _begin(ports, token, Wanted(FactorKind.PUSH, None, TotpParameters(), None))


async def turn_on(ports: Ports, token: str | None, code: str | None, label: str) -> TurnedOn:
    """Turn the begun app on by a code of it, or the phone that has answered, under a new session.

    Raises ``Conflict``, ``StepUpRequired``.
    """
    name = _label(label)

    async def decide(room: Room) -> Decided[TurnedOn | Refusal]:
        now = ports.clock.now()
        if room.begun is None:
            raise Conflict("Nothing is being set up.", code="not_begun")
        change, told = await complete_factor(ports, room.caller, room.snapshot, room.begun, code, now)
        if isinstance(told, ActivatedFactor):
            return _turned_on(ports, room, change, told, name, now)
        if isinstance(told, Throttled):
            return change, TurnedOn(rejection="throttled")
        if not isinstance(told, Invalid):
            return change, told
        return change, TurnedOn(rejection=rejection_of(told))

    return await move(ports, token, decide)


async def stop_app(ports: Ports, token: str | None) -> None:
    """Drop what was begun; it never counted."""

    async def decide(room: Room) -> Decided[None]:
        now = ports.clock.now()
        note = room.note(**{BEGUN: None})
        factor = begun_factor(room, now)
        if factor is None:
            return Change(root=room.user.id, expected=room.snapshot.version, puts=(note,)), None
        change, _ = await drop_factor(ports, room.caller, room.snapshot, factor.id, Leave(approved=False), now)
        return _with(change, note), None

    await move(ports, token, decide)


async def rename(ports: Ports, token: str | None, factor_id: str, label: str) -> None:
    """Give a way another name. Raises ``NotFound``, ``Invalid``."""
    name = _label(label)

    async def decide(room: Room) -> Decided[None]:
        change, _ = change_label(ports, room.caller, room.snapshot, factor_id, name, ports.clock.now())
        return change, None

    await move(ports, token, decide)


async def remove(ports: Ports, token: str | None, factor_id: str) -> None:
    """Remove a way, and every browser that it vouched for. Raises ``NotFound``, ``StepUpRequired``."""

    async def decide(room: Room) -> Decided[None]:
        now = ports.clock.now()
        return await drop_factor(ports, room.caller, room.snapshot, factor_id, room.leave(now), now)

    await move(ports, token, decide)


async def new_codes(ports: Ports, token: str | None) -> None:
    """A new set of backup codes, shown until it is saved. Raises ``StepUpRequired``, ``Conflict``."""

    async def decide(room: Room) -> Decided[None]:
        now = ports.clock.now()
        change, made = await replace_codes(ports, room.caller, room.snapshot, room.leave(now), now)
        codes = keep(ports, room.user.id, CODES, msgspec.json.encode(made.backup_codes))
        return _with(change, room.note(**{CODES: codes, PROVED_BY: _still_proved(room, change)})), None

    await move(ports, token, decide)


async def codes_saved(ports: Ports, token: str | None) -> None:
    """The person has the codes: from now on nobody shows them again (L4)."""

    async def decide(room: Room) -> Decided[None]:
        note = room.note(**{CODES: None})
        return Change(root=room.user.id, expected=room.snapshot.version, puts=(note,)), None

    await move(ports, token, decide)


async def forget_browsers(ports: Ports, token: str | None) -> None:
    """Forget every browser: each has to prove itself again."""

    async def decide(room: Room) -> Decided[None]:
        now = ports.clock.now()
        devices, events = await revoked_all(ports, room.caller, room.user, now, reason="owner")
        if not devices:
            return None, None
        return Change(root=room.user.id, expected=room.snapshot.version, puts=devices, events=events), None

    await move(ports, token, decide)


def _still_proved(room: Room, change: Change) -> str | None:
    """What was proved here; where that was one of the old codes, the set that takes their place."""
    proved_by: str | None = room.ticket.data.get(PROVED_BY)
    if any(isinstance(gone, Factor) and gone.id == proved_by for gone in change.deletes):
        return next((made.id for made in change.new if isinstance(made, Factor)), None)
    return proved_by


def begun_factor(room: Room, now: int) -> Factor | None:
    """The factor that is being set up here, while it may still be turned on."""
    pending = (f for f in room.snapshot.factors if f.id == room.begun and f.activated_at is None and alive(f, now))
    return next(pending, None)


def _turned_on(
    ports: Ports, room: Room, change: Change, told: ActivatedFactor, label: str | None, now: int
) -> tuple[Change, TurnedOn]:
    session, ticket = new_session(ports, room.user, room.ticket, now, proved=told.id)
    if told.backup_codes is not None:
        codes = keep(ports, room.user.id, CODES, msgspec.json.encode(told.backup_codes))
        ticket = msgspec.structs.replace(ticket, data={**ticket.data, CODES: codes})
    named = tuple(
        msgspec.structs.replace(record, label=label) if isinstance(record, Factor) else record for record in change.puts
    )
    change = msgspec.structs.replace(
        change, puts=named, new=(*change.new, ticket), deletes=(*change.deletes, room.ticket)
    )
    return change, TurnedOn(session=session)


def _label(text: str) -> str | None:
    problems = Problems()
    label = problems.optional("/label", naming.label, text.strip() or None)
    problems.refuse()
    return label


def _with(change: Change, note: Ticket) -> Change:
    return msgspec.structs.replace(change, puts=(*change.puts, note))
