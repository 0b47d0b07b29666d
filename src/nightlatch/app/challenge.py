"""Open a challenge: name the factor that the person will answer with. A number is texted its code by it."""

from __future__ import annotations

import msgspec

from nightlatch.app.attempt import move, require_not_hosted, require_open
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import offered, usable
from nightlatch.app.events import factor_event
from nightlatch.app.kernel import Decided
from nightlatch.app.messages import ChallengeAnswer, NewChallenge
from nightlatch.app.push.caller import phone_key
from nightlatch.app.push.sign_in import ask_for_sign_in, number_of
from nightlatch.app.texting import Occasion, Permission, challenge_data, challenge_of, sent_code, text_code
from nightlatch.domain import throttle
from nightlatch.domain.errors import Invalid, Refusal, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.sms import CODE_LIFE, SentCode
from nightlatch.domain.ids import CHALLENGE
from nightlatch.domain.records import Authentication, Challenge, Event, Factor, FactorState, User
from nightlatch.domain.throttle import Lane
from nightlatch.domain.time import moment, whole_seconds
from nightlatch.ports.store import Change, Snapshot


async def open_challenge(
    ports: Ports, caller: Caller, authentication_id: str, request: NewChallenge
) -> ChallengeAnswer:
    """A challenge of one offered factor. Codes that an app shows need none, and may have one.

    A number gets a text; asked again, it gets a new code under the same id, and the old one is dead (S6). Raises
    ``NotFound``, ``Conflict`` when the authentication is over or has sent five texts, ``Throttled`` before the next
    text is due, ``Invalid`` for a factor that is not on offer, and what ``Texting.permit`` does.
    """
    permission = Permission()

    async def decide(snapshot: Snapshot, authentication: Authentication) -> Decided[ChallengeAnswer | Refusal]:
        now = ports.clock.now()
        require_not_hosted(authentication)
        change, challenge = await begin_challenge(
            ports,
            caller,
            snapshot,
            authentication,
            request.factor,
            permission,
            now,
            remember=request.remember_device,
        )
        if isinstance(challenge, Refusal):
            return change, challenge
        return change, challenge_answer(ports, challenge, now)

    answered = await move(ports, caller, authentication_id, decide)
    if answered.kind is FactorKind.PUSH:
        await ports.wakeups.notify(phone_key(answered.factor))
    return answered


def challenge_answer(ports: Ports, challenge: Challenge, now: int) -> ChallengeAnswer:
    """The wire's shape."""
    due = challenge.resend_after
    return ChallengeAnswer(
        id=challenge.id,
        kind=challenge.kind,
        factor=challenge.factor_id,
        expires_at=moment(challenge.expires_at),
        sent_to=challenge.data.get("sent_to"),
        resend_after=None if due is None else whole_seconds(due - now),
        number=number_of(ports, challenge),
    )


async def begin_challenge(
    ports: Ports,
    caller: Caller,
    snapshot: Snapshot,
    authentication: Authentication,
    factor_id: str,
    permission: Permission,
    now: int,
    *,
    remember: bool = False,
) -> tuple[Change | None, Challenge | Refusal]:
    """The change that opens a challenge, or renews one by text. ``permission`` is for the text, ``remember`` for what
    is answered on a phone. A phone that is not asked leaves a trace, and the refusal as what was decided: ``move`` raises
    it once that is stored.

    A way whose codes are never sent has one challenge: more would only push others out of what is looked at.
    """
    require_open(authentication, now)
    a, user = authentication, snapshot.user
    on_offer = offered(snapshot, a.allowed_kinds, a.acr_required, a.first_factor) if usable(user) else ()
    factor = next((f for f in on_offer if f.id == factor_id), None)
    if factor is None or user is None:
        raise Invalid.field("/factor", "no_such_factor", "Take the id of one of this authentication's factors.")
    if factor.kind is FactorKind.SMS:
        return await _texted(ports, caller, snapshot, user, a, factor, permission, now)
    if factor.kind is FactorKind.PUSH:
        return await ask_for_sign_in(ports, caller, snapshot, user, a, factor, now, remember=remember)
    known = next((challenge for challenge in snapshot.challenges if challenge.factor_id == factor.id), None)
    if known is not None:
        return None, known
    challenge = _opened(ports, a, factor, now)
    event = _event(ports, caller, a, user, factor, challenge, now)
    return Change(root=a.root, expected=snapshot.version, new=(challenge,), events=(event,)), challenge


async def _texted(
    ports: Ports,
    caller: Caller,
    snapshot: Snapshot,
    user: User,
    a: Authentication,
    factor: Factor,
    permission: Permission,
    now: int,
) -> tuple[Change, Challenge]:
    _require_taken(snapshot, a, factor, now)
    known = challenge_of(snapshot, factor.id)
    opened = known or _opened(ports, a, factor, now)
    before, context = sent_code(snapshot, factor)
    application = await ports.catalog.application(a.application_id)
    occasion = Occasion(
        about=opened.id,
        context=context,
        purpose="sign_in",
        name=application.application.name if application else ports.site.organization,
        application_id=application.application.id if application else None,
        before=before,
        sends=sum(challenge.sends for challenge in snapshot.challenges if challenge.kind is FactorKind.SMS),
        life=min(CODE_LIFE, a.expires_at - now),
        authentication_id=a.id,
    )
    texted = await text_code(ports, permission, snapshot, user, factor, occasion, now)
    challenge = _renewed(opened, factor, texted.sent)
    event = _event(ports, caller, a, user, factor, challenge, now)
    new = texted.new if known else (challenge, *texted.new)
    puts = (challenge,) if known else ()
    return Change(root=a.root, expected=snapshot.version, puts=puts, new=new, events=(event,)), challenge


def _require_taken(snapshot: Snapshot, a: Authentication, factor: Factor, now: int) -> None:
    """Where no code is taken now, none is sent."""
    state = snapshot.states.get(factor.id) or FactorState(factor_id=factor.id, user_id=factor.user_id)
    try:
        throttle.check(state, Lane.KNOWN if a.device_known else Lane.OTHER, now)
    except throttle.Throttled as waiting:
        raise Throttled(retry_after=waiting.retry_after(now)) from None


def _opened(ports: Ports, a: Authentication, factor: Factor, now: int) -> Challenge:
    return Challenge(
        id=ports.new_id(CHALLENGE, now),
        user_id=a.user_id,
        authentication_id=a.id,
        factor_id=factor.id,
        kind=factor.kind,
        created_at=now,
        expires_at=a.expires_at,
    )


def _renewed(challenge: Challenge, factor: Factor, sent: SentCode) -> Challenge:
    """The challenge with its newest code. Wrong answers to those before it stay counted (S4)."""
    own = challenge.sends + 1
    return msgspec.structs.replace(
        challenge,
        mac=sent.mac,
        sends=own,
        resend_after=sent.resend_after,
        expires_at=sent.expires_at,
        data=challenge_data(factor, sent),
    )


def _event(
    ports: Ports, caller: Caller, a: Authentication, user: User, factor: Factor, challenge: Challenge, now: int
) -> Event:
    return factor_event(
        ports,
        caller,
        now,
        "challenge:opened",
        user,
        factor,
        outcome="info",
        application_id=a.application_id,
        authentication_id=challenge.authentication_id,
        data={"sends": challenge.sends} if challenge.sends else None,
        personal={},
    )
