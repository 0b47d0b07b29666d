"""A phone takes a pairing code and registers the key that it made; the private part never leaves it (P3, B2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import usable
from nightlatch.app.events import factor_event
from nightlatch.app.factors.rows import with_mac
from nightlatch.app.factors.rules import alive
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.push.caller import pairing_key, phone_user
from nightlatch.app.push.enroll import with_state
from nightlatch.app.push.messages import NewPairing, PairedPhone, PairingChallenge, Subscription
from nightlatch.app.push.nobody import PhoneStore
from nightlatch.app.push.sealed import number_key, open_push_secret, seal_push_secret, ways_of
from nightlatch.app.push.subscription import checked_subscription
from nightlatch.domain import naming
from nightlatch.domain.crypto.codes import code_mac
from nightlatch.domain.crypto.tokens import hash_token
from nightlatch.domain.errors import Invalid
from nightlatch.domain.factors import push
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import Pending
from nightlatch.domain.factors.push_protocol import (
    NotAccepted,
    PublicKey,
    base64url,
    check_pairing,
    pairing_claims,
    public_key,
)
from nightlatch.domain.fields import BadField, Problems
from nightlatch.domain.ids import CHALLENGE
from nightlatch.domain.records import Challenge, Factor, FactorStatus, Ticket, TicketKind, User
from nightlatch.domain.time import holds, moment
from nightlatch.ports.store import Change, Snapshot, UserKey

PAIR = "pair"


@dataclass(frozen=True, slots=True)
class _Phone:
    """What a phone said of itself, checked."""

    code: str
    key: PublicKey
    name: str
    subscriptions: Subscription


async def pair(ports: Ports, request: NewPairing, *, peer: str | None = None) -> PairedPhone:
    """Register a phone's key with a pairing code, once. It does not count before its owner typed the number. ``peer`` is
    the address that it came from, for the audit log.

    Raises ``Invalid``; a code that is unknown, used, too old or somebody's who may not sign in is one and the same.
    """
    phone = _checked(ports, request)

    async def decide(snapshot: Snapshot) -> Decided[PairedPhone]:
        now = ports.clock.now()
        user, ticket, factor = _waiting(snapshot, now)
        scanned, challenge = _scanned(ports, phone, factor, now)
        event = factor_event(
            ports,
            Caller(actor=f"person:{user.id}"),
            now,
            "push:phone_paired",
            user,
            factor,
            outcome="info",
            application_id=ticket.application_id,
            data={"transports": list(ways_of(phone.subscriptions))},
            personal={"name": phone.name, "ip": peer},
        )
        change = Change(
            root=user.id,
            expected=snapshot.version,
            puts=(replace(ticket, used_at=now), scanned),
            new=(challenge,),
            events=(event,),
        )
        return change, _told(ports, user, scanned, challenge)

    paired = await transact(PhoneStore(ports), UserKey(ticket=hash_token(phone.code)), decide)
    await ports.wakeups.notify(pairing_key(paired.factor))
    return paired


def _checked(ports: Ports, request: NewPairing) -> _Phone:
    """Everything that can be judged before the code is looked up. Raises ``Invalid`` with every bad field."""
    problems = Problems()
    code = problems.take("/code", _code, request.code, "")
    name = problems.take("/name", naming.label, request.name, "")
    key = problems.take("/public_key", _key, request.public_key, None)
    subscriptions = problems.take(
        "/subscription", lambda given: checked_subscription(ports, given), request.subscription, Subscription()
    )
    if key is not None and code:
        try:
            claims = pairing_claims(request.proof, key)
            check_pairing(claims, aud=ports.site.public_url, code=code, now=ports.clock.now())
        except NotAccepted:
            problems.add("/proof", "not_accepted", "Sign the pairing message with the key that is registered, now.")
    problems.refuse()
    assert key is not None, "else it was refused"
    return _Phone(code, key, name, subscriptions)


def _code(text: str) -> str:
    code = push.normal_code(text)
    if code is None:
        raise BadField("invalid_code", "A pairing code has 24 letters and digits.")
    return code


def _key(jwk: dict[str, Any]) -> PublicKey:
    try:
        return public_key(jwk)
    except NotAccepted:
        raise BadField("invalid_key", "A public JWK on P-256 with the members kty, crv, x and y alone.") from None


def _waiting(snapshot: Snapshot, now: int) -> tuple[User, Ticket, Factor]:
    """Whose code it is, and for which factor. Raises ``Invalid``."""
    user, ticket = snapshot.user, snapshot.ticket
    dead = Invalid.field("/code", "invalid_code", "This code is wrong, was used, or is older than 10 minutes.")
    if user is None or not usable(user) or ticket is None or ticket.kind is not TicketKind.PAIRING:
        raise dead
    if ticket.used_at is not None or not holds(ticket.created_at, ticket.expires_at, now):
        raise dead
    factor = next((factor for factor in snapshot.factors if factor.id == ticket.data.get("factor")), None)
    if factor is None or factor.kind is not FactorKind.PUSH or not alive(factor, now):
        raise dead
    if factor.status is not FactorStatus.PENDING or push.state_of(factor.public).pairing != "waiting":
        raise dead
    return user, ticket, factor


def _scanned(ports: Ports, phone: _Phone, factor: Factor, now: int) -> tuple[Factor, Challenge]:
    """The factor with its key, and the challenge that asks for the number beside the picture."""
    secret = open_push_secret(ports, factor)
    assert secret.number is not None, "it is kept until it is answered"
    id_, expires_at = ports.new_id(CHALLENGE, now), now + push.CHALLENGE_LIFE
    challenge = Challenge(
        id=id_,
        user_id=factor.user_id,
        authentication_id=factor.id,
        factor_id=factor.id,
        kind=FactorKind.PUSH,
        mac=code_mac(number_key(ports), secret.number, purpose="push", context=(id_, factor.id)),
        data={
            "purpose": PAIR,
            "nonce": base64url(ports.entropy.bytes(push.NONCE_BYTES)),
            "action": PAIR,
            "application": None,
            "action_hash": None,
        },
        created_at=now,
        expires_at=expires_at,
    )
    state = replace(
        push.state_of(factor.public),
        jwk=phone.key.members(),
        name=phone.name,
        hint=phone.name,
        pairing="scanned",
        transports=tuple(ways_of(phone.subscriptions)),
        pending=Pending(challenge=id_, origin=factor.id, expires_at=expires_at, known=True),
    )
    secret = replace(secret, code=None, subscriptions=phone.subscriptions)
    sealed = seal_push_secret(ports, secret, factor_id=factor.id, user_id=factor.user_id)
    scanned = replace(with_state(factor, state), sealed=sealed, label=factor.label or phone.name)
    return with_mac(ports, scanned), challenge


def _told(ports: Ports, user: User, factor: Factor, challenge: Challenge) -> PairedPhone:
    return PairedPhone(
        factor=challenge.factor_id,
        user=phone_user(user, factor),
        organization=ports.site.organization,
        challenge=PairingChallenge(
            id=challenge.id,
            nonce=challenge.data["nonce"],
            action=PAIR,
            application=None,
            action_hash=None,
            expires_at=moment(challenge.expires_at),
        ),
    )
