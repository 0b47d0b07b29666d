"""Setting up a way to sign in from within a sign-in: the first factor is proved and approves at once.

Who has no account is led through the same screens, with a secret that nothing accepts (H6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from nightlatch.app.answer import answer_event, settle
from nightlatch.app.approving import approved, seen_network
from nightlatch.app.attempt import require_open
from nightlatch.app.context import Ports
from nightlatch.app.deciding import active_factors
from nightlatch.app.factors.activate import complete_factor, rejection_of
from nightlatch.app.factors.enroll import Wanted, begin_factor
from nightlatch.app.factors.rules import alive, require_no_confirmation, with_states
from nightlatch.app.judging import Judged
from nightlatch.app.kept import keep, kept
from nightlatch.app.kernel import Decided
from nightlatch.app.messages import ActivatedFactor, Rejection
from nightlatch.app.prompt.better import leave_to_better
from nightlatch.app.prompt.session import (
    BEGUN,
    BETTER,
    CODES,
    DECOY,
    DECOY_PHONE,
    ENROLLED,
    NAME,
    NUMBER,
    Seat,
    Visit,
    move,
)
from nightlatch.app.push.nobody import begin_for_nobody, phone_of_nobody
from nightlatch.app.push.outcome import evidence_of, require_answered
from nightlatch.app.step_up import Leave
from nightlatch.domain.assurance import Assurance, assess, satisfies
from nightlatch.domain.errors import Conflict, Invalid, Refusal, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.parameters import TotpParameters
from nightlatch.domain.factors.push import state_of
from nightlatch.domain.factors.registry import REGISTRY
from nightlatch.domain.factors.seed import SECRET_BYTES
from nightlatch.domain.factors.sms import CODE_LIFE
from nightlatch.domain.ids import FACTOR
from nightlatch.domain.records import Authentication, Factor, FactorState, Record, Ticket
from nightlatch.ports.store import Change

APP = Wanted(FactorKind.TOTP, None, TotpParameters(), None)


@dataclass(frozen=True, slots=True)
class SetUp:
    """What became of the code that was to turn a factor on; without ``rejection`` it is on."""

    rejection: Rejection | None = None
    retry_after: int | None = None


async def begin_setup(ports: Ports, visit: Visit, kind: FactorKind = FactorKind.TOTP) -> None:
    """Make a secret for an authenticator app, or begin to pair a phone; once begun, it stays the same.

    Raises ``Elsewhere``; ``Conflict`` where this sign-in asks for no set-up, or policy wants a confirmation first.
    """

    async def decide(seat: Seat) -> Decided[None]:
        now = ports.clock.now()
        leave = require_setup(seat, now)
        if begun(seat, now) and not (NUMBER in seat.ticket.data or _other(seat, kind)):
            return None, None
        # Of nobody it is asked as well: what is refused must not tell whether there is such a user (H6).
        require_no_confirmation(await ports.policies.current(), elsewhere=seat.peer_differs)
        if seat.snapshot.user is None:
            return _decoy(ports, seat, kind, now), None
        wanted = Wanted(kind, None, TotpParameters(), None)
        change, enrolled = await begin_factor(ports, seat.caller, seat.snapshot, wanted, leave, now)
        dropped = [record for record in with_states(seat.snapshot, _other(seat, kind)) if record not in change.deletes]
        change = msgspec.structs.replace(change, deletes=(*change.deletes, *dropped))
        return _with(change, seat.note(**{BEGUN: enrolled.id})), None

    await move(ports, visit, decide)


async def finish_setup(ports: Ports, visit: Visit, code: str | None) -> SetUp:
    """Turn the factor on by a code of it, and approve the sign-in with what that proved. ``code`` is None where the
    person answered on the phone that is being paired.

    Wrong codes count as they do for any sign-in: the fifth ends it. Raises ``Elsewhere``,
    ``Conflict``.
    """

    async def decide(seat: Seat) -> Decided[SetUp]:
        now = ports.clock.now()
        require_setup(seat, now)
        factor_id = seat.ticket.data.get(BEGUN)
        if factor_id is None:
            raise Conflict("Nothing is being set up.", code="not_begun")
        if seat.snapshot.user is None:
            await _require_answered(ports, seat, code)
            reason: Rejection = "expired" if _unsent_expired(seat, now) else "wrong_code"
            return _refused(ports, seat, (), reason, now), SetUp(reason)
        change, told = await complete_factor(ports, seat.caller, seat.snapshot, factor_id, code, now)
        if isinstance(told, ActivatedFactor):
            return _settled(ports, seat, change, told, now), SetUp()
        if isinstance(told, Throttled):
            return change, SetUp("throttled", told.retry_after)
        reason = _reason(told)
        if BETTER in seat.ticket.data:
            # The sign-in is approved already; the wrong code counts against what is being set up.
            return change, SetUp(reason)
        return _refused(ports, seat, change.puts, reason, now), SetUp(reason)

    return await move(ports, visit, decide)


async def codes_saved(ports: Ports, visit: Visit) -> None:
    """The person has their backup codes: from now on nobody shows them again (L4)."""

    async def decide(seat: Seat) -> Decided[None]:
        if CODES not in seat.ticket.data:
            return None, None
        saved = seat.note(**{CODES: None})
        return Change(root=seat.ticket.root, expected=seat.snapshot.version, puts=(saved,)), None

    await move(ports, visit, decide)


def begun(seat: Seat, now: int) -> bool:
    """Whether the factor that was begun here may still be turned on."""
    factor_id = seat.ticket.data.get(BEGUN)
    if factor_id is None or seat.snapshot.user is None:
        return factor_id is not None
    return any(factor.id == factor_id and alive(factor, now) for factor in seat.snapshot.factors)


def require_setup(seat: Seat, now: int) -> Leave:
    """On whose word something is set up here: a first way needs none, something better its owner's proof.

    Raises ``Conflict`` where this sign-in asks for no set-up.
    """
    if BETTER in seat.ticket.data:
        return leave_to_better(seat, now)
    require_open(seat.authentication, now)
    if seat.authentication.decision != "enroll" or active_factors(seat.snapshot):
        raise Conflict("This sign-in asks for no set-up.", code="not_enrolling")
    return Leave(approved=False)


def _other(seat: Seat, kind: FactorKind) -> list[Factor]:
    """What of another kind was begun here and not finished."""
    factor_id = seat.ticket.data.get(BEGUN)
    return [f for f in seat.snapshot.factors if f.id == factor_id and f.activated_at is None and f.kind is not kind]


async def _require_answered(ports: Ports, seat: Seat, code: str | None) -> None:
    """Nobody's phone never answers with the right number."""
    if DECOY_PHONE in seat.ticket.data:
        found = await phone_of_nobody(ports, seat.ticket.data[BEGUN])
        if found is not None:
            require_answered(state_of(found[1].public))
        raise Conflict("The number was not typed on the phone yet.", code="pairing_unfinished")
    if code is None:
        raise Invalid.field("/code", "required", "Send the code that the person typed.")


def _unsent_expired(seat: Seat, now: int) -> bool:
    """Whether a code that nobody was sent would be too old by now."""
    unsent = seat.ticket.data.get(NUMBER)
    return unsent is not None and not 0 <= now - int(unsent["sent_at"]) < CODE_LIFE


def _decoy(ports: Ports, seat: Seat, kind: FactorKind, now: int) -> Change:
    a, version = seat.authentication, seat.snapshot.version
    if kind is FactorKind.PUSH:
        factor_id, tickets = begin_for_nobody(ports, seat.caller, a.user_id, name_of_nobody(ports, seat), version, now)
        note = seat.note(**{BEGUN: factor_id, NUMBER: None, DECOY: None, DECOY_PHONE: True})
        return Change(root=a.root, expected=version, puts=(note,), new=tickets)
    sealed = keep(ports, a.user_id, DECOY, ports.entropy.bytes(SECRET_BYTES))
    note = seat.note(**{BEGUN: ports.new_id(FACTOR, now), NUMBER: None, DECOY_PHONE: None, DECOY: sealed})
    return Change(root=a.root, expected=version, puts=(note,))


def name_of_nobody(ports: Ports, seat: Seat) -> str:
    """What they were called at the sign-in."""
    user_id, named = seat.authentication.user_id, seat.ticket.data.get(NAME)
    return user_id if named is None else kept(ports, user_id, NAME, named).decode()


def _settled(ports: Ports, seat: Seat, change: Change, told: ActivatedFactor, now: int) -> Change:
    factor = next(record for record in change.puts if isinstance(record, Factor))
    state = next(record for record in change.puts if isinstance(record, FactorState))
    evidence = REGISTRY[factor.kind].evidence(factor_id=factor.id, counter=state.counter)
    if factor.kind is FactorKind.PUSH:
        evidence = evidence_of(factor, uv=True)
    proved = assess((evidence,), seat.authentication.first_factor)
    note: dict[str, Any] = {ENROLLED: True}
    if told.backup_codes is not None:
        note[CODES] = keep(ports, seat.authentication.user_id, CODES, msgspec.json.encode(told.backup_codes))
    change = _with(change, seat.note(**note))
    if not satisfies(proved.acr, Assurance(seat.authentication.acr_required)):
        return change
    settled = approved(ports, seat.authentication, proved, now, factor_id=factor.id)
    event = answer_event(ports, seat.caller, seat.snapshot.user, settled, Judged(factor=factor, evidence=evidence), now)
    return msgspec.structs.replace(
        change,
        puts=(*change.puts, settled, *seen_network(settled, now)),
        events=(*change.events, event),
    )


def _refused(ports: Ports, seat: Seat, states: tuple[Record, ...], reason: Rejection, now: int) -> Change:
    factor = next((f for f in seat.snapshot.factors if f.id == seat.ticket.data[BEGUN]), None)
    judged = Judged(factor=factor, rejection=reason, counted=True)
    counted: Authentication = settle(ports, seat.authentication, judged, now, remember=False)
    event = answer_event(ports, seat.caller, seat.snapshot.user, counted, judged, now)
    kept_states = tuple(state for state in states if isinstance(state, FactorState))
    return Change(root=counted.root, expected=seat.snapshot.version, puts=(*kept_states, counted), events=(event,))


def _reason(refusal: Refusal) -> Rejection:
    if isinstance(refusal, Invalid):
        return rejection_of(refusal)
    raise refusal


def _with(change: Change, note: Ticket) -> Change:
    return msgspec.structs.replace(change, puts=(*change.puts, note))
