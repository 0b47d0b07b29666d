"""A code by text: permitted, made, kept as a MAC where it will be asked for, and queued in the change that decides it.

A code is good in one place alone (S5): an authentication, a session on somebody's own page, or the set-up of a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.deliver.messages import queue
from nightlatch.app.factors.rules import PENDING_LIFE
from nightlatch.app.factors.secrets import open_secret
from nightlatch.app.turns import take_turn
from nightlatch.domain.crypto.codes import ENTROPY_BYTES, numeric_code
from nightlatch.domain.errors import Conflict, Refusal, Throttled
from nightlatch.domain.factors import sms
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.sms import Number, SentCode
from nightlatch.domain.records import (
    Challenge,
    Channel,
    Factor,
    FactorStatus,
    OutboxMessage,
    Record,
    SmsSend,
    User,
)
from nightlatch.domain.sms.message import Purpose, code_text
from nightlatch.domain.time import whole_seconds
from nightlatch.ports.store import Snapshot
from nightlatch.ports.texting import SendRequest

ENROLLING = "enrolling"
"""In ``Factor.public``: the code that turns a pending number on."""
TEXTS = "texts"
"""In the notes of a session: the codes by which its person proves who they are, by factor."""

_NUMBER = "number"


@dataclass(slots=True)
class Permission:
    """Leave to send one text, asked for at most once however often its request is decided again.

    ``sends``: of a number that is set up, the texts that it had with this one.
    """

    sends: int = 0
    _given: SendRequest | None = field(default=None)

    async def ask(self, ports: Ports, version: int, request: SendRequest, *, setting_up: bool = False) -> None:
        """Return if the text may be sent. Raises what ``Texting.permit`` does.

        Of a crowd that decides on one version of a user only one can be stored, so only one may take of the budgets;
        the others hear ``Throttled``. A number that is set up waits between two texts also when it is begun anew.
        """
        if self._given == request:
            return
        turn = f"text:{request.user_id}:{version}"
        await take_turn(ports, turn)
        try:
            if setting_up:
                self.sends = await _permit_set_up(ports, request)
            else:
                await ports.texting.permit(request)
        except Refusal:
            await ports.ephemeral.take(turn)
            raise
        self._given = request


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a code is sent for. ``about`` is a challenge's, session's or factor's id; ``context`` all that it is good
    for; ``before`` what was sent for the same, and ``sends`` how many texts it has had in all. ``life`` in µs.
    """

    about: str
    context: tuple[str, ...]
    purpose: Purpose
    name: str
    application_id: str | None
    before: SentCode | None
    sends: int
    life: int
    authentication_id: str | None = None


@dataclass(frozen=True, slots=True)
class Texted:
    """``sent`` is to be kept where the code will be asked for; ``new`` goes into the change."""

    sent: SentCode
    new: tuple[Record, ...]


async def text_code(
    ports: Ports, permission: Permission, snapshot: Snapshot, user: User, factor: Factor, on: Occasion, now: int
) -> Texted:
    """Make a code, which kills the one before it (S6), and queue its text.

    Raises ``Throttled`` before its time, ``Conflict`` after five, and what ``Texting.permit`` does.
    """
    _require_due(on, now)
    number = number_of(ports, factor)
    trusted = _is_trusted(user, factor, number, now)
    request = SendRequest(
        user_id=user.id,
        number=number.e164,
        prefix=number.prefix,
        country=number.country,
        application_id=on.application_id,
        trusted=trusted,
    )
    await permission.ask(ports, snapshot.version, request, setting_up=on.purpose == "set_up")
    code = numeric_code(ports.entropy.bytes(ENTROPY_BYTES), sms.DIGITS)
    message = _message(ports, user, number, code, on, now)
    sends = permission.sends or on.sends + 1
    sent = SentCode(
        mac=sms.mac_of(code_key(ports), code, on.context),
        expires_at=now + on.life,
        sends=sends,
        resend_after=now + sms.resend_wait(sends),
        message=message.id,
        about=on.about,
        sent_at=now,
        trusted=trusted,
        application_id=on.application_id,
    )
    return Texted(sent, (message, _send(ports, user.id, number, sent)))


def number_of(ports: Ports, factor: Factor) -> Number:
    """The number of a factor. Raises ``SealBroken`` where it was tampered with (K1)."""
    e164 = msgspec.json.decode(open_secret(ports, factor), type=dict[str, str])[_NUMBER]
    return Number(e164=e164, country=factor.public["country"], prefix=factor.public["prefix"])


def secret_of(number: Number) -> bytes:
    """What is sealed of a number's factor."""
    return msgspec.json.encode({_NUMBER: number.e164})


def code_key(ports: Ports) -> bytes:
    """The key of the MACs; the database does not hold it."""
    return ports.sealer.digest("sms-code", b"")


def sent_code(snapshot: Snapshot, factor: Factor) -> tuple[SentCode | None, tuple[str, ...]]:
    """The newest code of a number in the place that a snapshot was loaded for, and what it is good for."""
    if factor.status is FactorStatus.PENDING:
        return SentCode.of_data(factor.public.get(ENROLLING)), enrollment_context(factor)
    if snapshot.authentication is not None:
        challenge = challenge_of(snapshot, factor.id)
        return code_of(challenge), ("authentication", snapshot.authentication.id, factor.id)
    if snapshot.ticket is not None:
        kept = snapshot.ticket.data.get(TEXTS, {}).get(factor.id)
        return SentCode.of_data(kept), ("session", snapshot.ticket.hash.hex(), factor.id)
    return None, ("nowhere", factor.id)


def enrollment_context(factor: Factor) -> tuple[str, ...]:
    """What the code of a pending number is good for."""
    return ("enrollment", factor.user_id, factor.id)


def challenge_of(snapshot: Snapshot, factor_id: str) -> Challenge | None:
    """The challenge by text of this factor in the loaded authentication; there is one at most, and texts renew it."""
    own = (c for c in snapshot.challenges if c.kind is FactorKind.SMS and c.factor_id == factor_id)
    return next((c for c in own if snapshot.authentication and c.authentication_id == snapshot.authentication.id), None)


def code_of(challenge: Challenge | None) -> SentCode | None:
    """The code of a challenge by text; None where it was used, or none was sent."""
    if challenge is None or challenge.mac is None or challenge.used_at is not None:
        return None
    return SentCode(
        mac=challenge.mac,
        expires_at=challenge.expires_at,
        sends=challenge.sends,
        resend_after=challenge.resend_after or 0,
        **{name: challenge.data[name] for name in _KEPT},
    )


def challenge_data(factor: Factor, sent: SentCode) -> dict[str, object]:
    """What a challenge keeps of a text beside its columns."""
    return {"sent_to": factor.public["hint"], **{name: getattr(sent, name) for name in _KEPT}}


_KEPT = ("message", "about", "sent_at", "trusted", "application_id")


def is_open(sent: SentCode | None, now: int) -> bool:
    """Whether a code that was sent is still good."""
    return sent is not None and now < sent.expires_at


def after_answer(ports: Ports, snapshot: Snapshot, factor: Factor, now: int, *, right: bool) -> tuple[Record, ...]:
    """What an answer changes besides the factor's state: a right one uses the code up (S3) and shows that its text
    arrived; a wrong one is counted, whatever is sent after it (S4).
    """
    sent, _ = sent_code(snapshot, factor)
    challenge = None if factor.status is FactorStatus.PENDING else challenge_of(snapshot, factor.id)
    if not right:
        counted = None if challenge is None else _wrong(challenge)
        return () if counted is None else (counted,)
    assert sent is not None, "what was proved was sent"
    arrived = msgspec.structs.replace(_send(ports, factor.user_id, number_of(ports, factor), sent), verified_at=now)
    return (arrived,) if challenge is None else (arrived, msgspec.structs.replace(challenge, used_at=now))


def _wrong(challenge: Challenge) -> Challenge:
    return msgspec.structs.replace(challenge, wrong_answers=challenge.wrong_answers + 1)


async def _permit_set_up(ports: Ports, request: SendRequest) -> int:
    """Which text this is for a number that somebody sets up, however often they begin anew.

    Kept apart from what is begun, which can be dropped; and for nobody as for somebody (H6). Raises ``Throttled`` before
    its time, ``Conflict`` after five, and what ``Texting.permit`` does.
    """
    place = f"{request.user_id}:{ports.sealer.digest('sms-number', request.number.encode()).hex()}"
    count, wait = f"texts:{place}", f"texts-wait:{place}"
    sends = 1 + await ports.ephemeral.increment(count, by=0, ttl=PENDING_LIFE)
    if sends > sms.MOST_SENDS:
        raise too_many()
    if not await ports.ephemeral.add_if_absent(wait, b"", ttl=sms.resend_wait(sends)):
        raise _sent_just_now(sms.resend_wait(sends - 1))
    try:
        await ports.texting.permit(request)
    except Refusal:
        await ports.ephemeral.take(wait)
        raise
    await ports.ephemeral.increment(count, ttl=PENDING_LIFE)
    return sends


def too_many() -> Conflict:
    """After the last text that is sent for one thing."""
    return Conflict(
        f"{sms.MOST_SENDS} texts were sent for this. Use another way, or start again.", code="too_many_texts"
    )


def _require_due(on: Occasion, now: int) -> None:
    if on.sends >= sms.MOST_SENDS:
        raise too_many()
    due = on.before.resend_after if on.before else 0
    # A wait that seems longer than any was set before the clock was set back.
    if now < due <= now + sms.resend_wait(on.sends):
        raise _sent_just_now(due - now)


def _sent_just_now(wait: int) -> Throttled:
    return Throttled("A text was sent just now. Wait for it.", retry_after=whole_seconds(wait))


def _is_trusted(user: User, factor: Factor, number: Number, now: int) -> bool:
    """Whether this number was verified for this person over seven days ago (S11)."""
    known = [address.verified_at for address in user.phones if address.value == number.e164]
    since = [at for at in (factor.activated_at, *known) if at is not None]
    return any(now - at > sms.TRUSTED_AFTER for at in since)


def _message(ports: Ports, user: User, number: Number, code: str, on: Occasion, now: int) -> OutboxMessage:
    text = code_text(code, app=on.name, locale=user.locale, public_url=ports.site.public_url, purpose=on.purpose)
    route = {"country": number.country, "prefix": number.prefix}
    if on.application_id is not None:
        route["application"] = on.application_id
    return queue(
        ports,
        now,
        Channel.SMS,
        user=user,
        payload={"to": number.e164, "text": text},
        ttl=on.life,
        about=on.about,
        authentication_id=on.authentication_id,
        route=route,
    )


def _send(ports: Ports, user_id: str, number: Number, sent: SentCode) -> SmsSend:
    return SmsSend(
        id=sent.message,
        user_id=user_id,
        application_id=sent.application_id,
        challenge_id=sent.about,
        number_hash=ports.sealer.digest("sms-number", number.e164.encode()),
        prefix=number.prefix,
        country=number.country,
        trusted=sent.trusted,
        at=sent.sent_at,
    )
