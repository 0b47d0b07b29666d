"""What the person decided on their phone. It counts once, for exactly what was asked, signed by the key that was asked."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET

from nightlatch.app.attempt import wake_key
from nightlatch.app.context import Ports
from nightlatch.app.events import factor_event
from nightlatch.app.kernel import Decided
from nightlatch.app.notices.refusals import note_refused
from nightlatch.app.push.caller import Paired, page_key, paired_phone, pairing_key
from nightlatch.app.push.messages import PushResponded, Responded
from nightlatch.app.push.nobody import PhoneStore
from nightlatch.app.push.outcome import Heard, Outcome, heard_change, pairing_change, portal_change
from nightlatch.app.push.sealed import number_key
from nightlatch.app.settling import settle
from nightlatch.domain.crypto.codes import code_matches
from nightlatch.domain.errors import Invalid, NotFound, Refusal
from nightlatch.domain.factors import push
from nightlatch.domain.factors.push_protocol import (
    Asked,
    NotAccepted,
    ResponseClaims,
    check_response,
    factor_of,
    response_claims,
)
from nightlatch.domain.ids import CHALLENGE, is_id
from nightlatch.domain.records import Challenge, User
from nightlatch.domain.time import holds
from nightlatch.ports.store import Change, Snapshot, UserKey


@dataclass(frozen=True, slots=True)
class _Done:
    status: Responded
    woken: str
    user: User
    told_of: bool


async def respond(ports: Ports, challenge_id: str, response: str, *, peer: str | None = None) -> PushResponded:
    """Take a phone's response. Of many at once, or one repeated, one decides; the others hear ``expired``. ``peer`` is
    the address that it came from, for the audit log.

    Raises ``NotFound`` for a challenge that is not this phone's, ``NotPaired``, and ``Invalid`` for a response that is
    not signed as it must be or says something else than what was asked: that leaves a trace, and the challenge open.
    """
    if not is_id(challenge_id, CHALLENGE):
        raise _unknown()
    try:
        factor_id = factor_of(response)
    except NotAccepted:
        raise _not_accepted() from None

    async def decide(snapshot: Snapshot) -> Decided[_Done | Refusal]:
        return await _decide(ports, snapshot, factor_id, response, peer)

    done = await settle(PhoneStore(ports), UserKey(factor=factor_id, challenge=challenge_id), decide)
    await note_refused(ports, done.user, done.told_of)
    await ports.wakeups.notify(done.woken)
    return PushResponded(status=done.status)


async def _decide(
    ports: Ports, snapshot: Snapshot, factor_id: str, response: str, peer: str | None
) -> Decided[_Done | Refusal]:
    now = ports.clock.now()
    challenge = next((one for one in snapshot.challenges if one.factor_id == factor_id), None)
    paired = paired_phone(ports, snapshot, factor_id, now)
    if challenge is None:
        raise _unknown()
    try:
        claims = response_claims(response, paired.key)
        check_response(claims, _asked(ports, challenge), now)
        _check_number(claims)
    except NotAccepted as why:
        return _forged(ports, snapshot, paired, challenge, why.reason, peer, now), _not_accepted()
    heard = Heard(snapshot, paired, challenge, _meant(ports, challenge, claims), claims.uv, peer, now)
    outcome = await _conclude(ports, heard)
    return outcome.change, _Done(outcome.status, woken_by(challenge), paired.user, outcome.told_of)


async def _conclude(ports: Ports, heard: Heard) -> Outcome:
    challenge = heard.challenge
    if challenge.status is not None or not holds(challenge.created_at, challenge.expires_at, heard.now):
        return Outcome("expired")
    if not push.is_open(heard.paired.state, challenge.id, heard.now):
        return Outcome("expired")
    if heard.challenge.data["purpose"] == "pair":
        return pairing_change(ports, heard)
    if heard.challenge.data["purpose"] == "portal":
        return await portal_change(ports, heard)
    return await heard_change(ports, heard)


def woken_by(challenge: Challenge) -> str:
    """What whoever asked listens to: the sign-in, the pairing, or the page."""
    if challenge.data["purpose"] == "pair":
        return pairing_key(challenge.factor_id)
    if challenge.data["purpose"] == "portal":
        return page_key(challenge.id)
    return wake_key(challenge.authentication_id)


def _asked(ports: Ports, challenge: Challenge) -> Asked:
    return Asked(
        aud=ports.site.public_url,
        challenge=challenge.data["nonce"],
        user=challenge.user_id,
        factor=challenge.factor_id,
        application=challenge.data["application"],
        action=challenge.data["action"],
        action_hash=challenge.data["action_hash"],
        created_at=challenge.created_at,
    )


def _check_number(claims: ResponseClaims) -> None:
    if claims.number is not UNSET and not push.is_number(claims.number):
        raise NotAccepted("wrong_number")


def _meant(ports: Ports, challenge: Challenge, claims: ResponseClaims) -> Responded:
    """What was decided; approval with a number that is not the one shown is a wrong number."""
    if claims.decision == "deny":
        return "denied"
    if claims.decision == "not_me":
        return "not_me"
    assert claims.number is not UNSET, "it was checked"
    right = code_matches(
        number_key(ports),
        claims.number,
        challenge.mac or b"",
        purpose="push",
        context=(challenge.id, challenge.factor_id),
    )
    return "approved" if right else "wrong_number"


def _forged(
    ports: Ports,
    snapshot: Snapshot,
    paired: Paired,
    challenge: Challenge,
    reason: str,
    peer: str | None,
    now: int,
) -> Change | None:
    """The trace of a response that was not accepted, while there was something to win by it."""
    if challenge.status is not None or not push.is_open(paired.state, challenge.id, now):
        return None
    event = factor_event(
        ports,
        paired.caller,
        now,
        "push:response_refused",
        paired.user,
        paired.factor,
        outcome="failure",
        application_id=challenge.data["application"],
        authentication_id=challenge.authentication_id or None,
        reason=reason,
        personal={"ip": peer},
    )
    return Change(root=paired.user.id, expected=snapshot.version, events=(event,))


def _unknown() -> NotFound:
    return NotFound("There is no such challenge for this phone.")


def _not_accepted() -> Invalid:
    return Invalid.field("/response", "not_accepted", "Sign exactly what was asked, with the key of this factor, now.")
