"""A number to which codes are texted: begun, texted again, and turned on by its code. A new number is a new factor (S9)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import factor_event
from nightlatch.app.factors.answers import factor_fields
from nightlatch.app.factors.find import owned
from nightlatch.app.factors.rules import PENDING_LIFE, alive, dead_pending, require_may_begin
from nightlatch.app.factors.secrets import seal_secret
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.messages import CodeSent, EnrolledFactor, Enrollment
from nightlatch.app.step_up import Leave
from nightlatch.app.texting import (
    ENROLLING,
    Occasion,
    Permission,
    Texted,
    enrollment_context,
    number_of,
    secret_of,
    sent_code,
    text_code,
)
from nightlatch.app.users.reference import active, user_key
from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.errors import Conflict
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.sms import CODE_LIFE, RISK_NOTICE, Number, SentCode
from nightlatch.domain.ids import FACTOR
from nightlatch.domain.records import Address, Event, Factor, FactorState, FactorStatus, User
from nightlatch.domain.time import moment, whole_seconds
from nightlatch.ports.store import Change, Snapshot


async def begin_number(
    ports: Ports,
    caller: Caller,
    snapshot: Snapshot,
    number: Number,
    label: str | None,
    leave: Leave,
    permission: Permission,
    now: int,
    *,
    application_id: str | None,
) -> tuple[Change, EnrolledFactor]:
    """The change that begins a number and sends its first code. ``leave`` says on whose word, ``application_id`` whose
    cap the text counts against.

    Raises ``Invalid``, ``Conflict``, ``StepUpRequired``, and what ``Texting.permit`` does.
    """
    user = await require_may_begin(ports, snapshot, FactorKind.SMS, leave, now)
    _require_new(ports, snapshot, number)
    factor = _pending(ports, user, number, label, leave, now)
    texted = await _texted(ports, application_id, snapshot, user, factor, permission, now)
    factor = _keeping(factor, texted.sent)
    state = FactorState(factor_id=factor.id, user_id=user.id)
    change = Change(
        root=user.id,
        expected=snapshot.version,
        puts=leave.puts,
        new=(factor, state, *texted.new),
        deletes=dead_pending(snapshot, now),
        events=(_event(ports, caller, user, factor, now, "factor:enrolled", {**leave.told, "risk_noticed": True}),),
    )
    return change, EnrolledFactor(**factor_fields(factor, state), enrollment=enrollment_of(factor, now))


async def send_again(ports: Ports, caller: Caller, ref: str, factor_id: str) -> CodeSent:
    """Text a pending number a new code; the one before it is dead.

    Raises ``NotFound``, ``Conflict`` for a factor that waits for none, ``Throttled`` before its time, and what
    ``Texting.permit`` does.
    """
    permission = Permission()
    application_id = caller.application.id if caller.application else None

    async def decide(snapshot: Snapshot) -> Decided[CodeSent]:
        now = ports.clock.now()
        return await text_again(ports, caller, snapshot, factor_id, permission, now, application_id=application_id)

    return await transact(ports.store, user_key(ref), decide)


async def text_again(
    ports: Ports,
    caller: Caller,
    snapshot: Snapshot,
    factor_id: str,
    permission: Permission,
    now: int,
    *,
    application_id: str | None,
) -> tuple[Change, CodeSent]:
    """The change that sends a pending number its next code."""
    user = active(snapshot)
    factor = owned(snapshot, factor_id)
    if factor.kind is not FactorKind.SMS or factor.status is not FactorStatus.PENDING:
        raise Conflict("Only a number that is not active yet waits for a code.", code="not_texted")
    if not alive(factor, now):
        raise Conflict("The time to activate this factor is over. Begin a new one.", code="enrollment_expired")
    texted = await _texted(ports, application_id, snapshot, user, factor, permission, now)
    kept = _keeping(factor, texted.sent)
    event = _event(ports, caller, user, kept, now, "factor:code_sent", {"sends": texted.sent.sends})
    change = Change(root=user.id, expected=snapshot.version, puts=(kept,), new=texted.new, events=(event,))
    return change, code_sent(kept, texted.sent, now)


def enrollment_of(factor: Factor, now: int) -> Enrollment:
    """What its owner must know of a number that waits for its code."""
    sent = enrolling_code(factor)
    return Enrollment(
        sent_to=factor.public["hint"],
        code_expires_at=moment(sent.expires_at),
        resend_after=whole_seconds(sent.resend_after - now),
        notice=RISK_NOTICE,
    )


def enrolling_code(factor: Factor) -> SentCode:
    """The code that a pending number was sent."""
    sent = SentCode.of_data(factor.public.get(ENROLLING))
    assert sent is not None, "a number is begun with its first code"
    return sent


def code_sent(factor: Factor, sent: SentCode, now: int) -> CodeSent:
    """As the wire tells it."""
    return CodeSent(
        factor=factor.id,
        sent_to=factor.public["hint"],
        expires_at=moment(sent.expires_at),
        resend_after=whole_seconds(sent.resend_after - now),
    )


def turned_on(ports: Ports, user: User, factor: Factor, now: int) -> tuple[Factor, User]:
    """An activated number without its code, and its owner, whose number is verified by it (R3)."""
    e164 = number_of(ports, factor).e164
    bare = {name: value for name, value in factor.public.items() if name != ENROLLING}
    phones = tuple(Address(a.value, now) if a.value == e164 and a.verified_at is None else a for a in user.phones)
    return replace(factor, public=bare), replace(user, phones=phones)


async def _texted(
    ports: Ports,
    application_id: str | None,
    snapshot: Snapshot,
    user: User,
    factor: Factor,
    permission: Permission,
    now: int,
) -> Texted:
    before, _ = sent_code(snapshot, factor)
    occasion = Occasion(
        about=factor.id,
        context=enrollment_context(factor),
        purpose="set_up",
        name=ports.site.organization,
        application_id=application_id,
        before=before,
        sends=before.sends if before else 0,
        life=min(CODE_LIFE, (factor.expires_at or now) - now),
    )
    return await text_code(ports, permission, snapshot, user, factor, occasion, now)


def _pending(ports: Ports, user: User, number: Number, label: str | None, leave: Leave, now: int) -> Factor:
    id_ = ports.new_id(FACTOR, now)
    return Factor(
        id=id_,
        user_id=user.id,
        kind=FactorKind.SMS,
        status=FactorStatus.PENDING,
        label=label,
        public={
            "hint": number.hint,
            "country": number.country,
            "prefix": number.prefix,
            "approved": leave.approved,
            "risk_noticed_at": now,
        },
        sealed=seal_secret(ports, secret_of(number), factor_id=id_, user_id=user.id),
        created_at=now,
        expires_at=now + PENDING_LIFE,
    )


def _keeping(factor: Factor, sent: SentCode) -> Factor:
    return replace(factor, public={**factor.public, ENROLLING: sent.to_data()})


def _require_new(ports: Ports, snapshot: Snapshot, number: Number) -> None:
    """One number is one factor: two would only be two ways to have it texted."""
    active_numbers = (f for f in snapshot.factors if f.kind is FactorKind.SMS and f.status is FactorStatus.ACTIVE)
    if any(_has(ports, factor, number) for factor in active_numbers):
        raise Conflict("Texts to this number are set up already.", code="number_in_use")


def _has(ports: Ports, factor: Factor, number: Number) -> bool:
    """Whether this is a factor's number; one that was tampered with gets no texts, and is nobody's."""
    try:
        return number_of(ports, factor).e164 == number.e164
    except SealBroken:
        return False


def _event(
    ports: Ports, caller: Caller, user: User, factor: Factor, now: int, type_: str, data: dict[str, Any]
) -> Event:
    told = {**data, "country": factor.public["country"]}
    return factor_event(ports, caller, now, type_, user, factor, data=told)
