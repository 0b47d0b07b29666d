"""A phone that calls: known by what it signs, and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import usable
from nightlatch.app.factors.rows import check_mac
from nightlatch.app.factors.rules import alive
from nightlatch.app.push.messages import PhoneFactor, PhoneUser
from nightlatch.app.push.nobody import PhoneStore
from nightlatch.app.times import optional_moment
from nightlatch.domain.crypto.mac import MacBroken
from nightlatch.domain.errors import Unauthenticated
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import PushState, state_of
from nightlatch.domain.factors.push_protocol import (
    LEEWAY,
    NotAccepted,
    PublicKey,
    check_request,
    factor_of,
    public_key,
    request_claims,
)
from nightlatch.domain.records import Factor, FactorStatus, User
from nightlatch.domain.time import SECOND, moment
from nightlatch.ports.store import Snapshot, UserKey

JTI_LIFE = 2 * LEEWAY + 10 * SECOND
"""How long an id of a request is remembered: longer than any clock lets the request pass."""


@dataclass(frozen=True, slots=True)
class Paired:
    """A phone as the store knows it: its key is the one that was registered, and its owner may sign in."""

    user: User
    factor: Factor
    state: PushState
    key: PublicKey

    @property
    def caller(self) -> Caller:
        """The person, with the phone in hand."""
        return Caller(actor=f"person:{self.user.id}")


@dataclass(frozen=True, slots=True)
class Phone:
    """Who signed a request. ``seen`` is the phone as it was read for this very request, if it was."""

    factor_id: str
    seen: Paired | None = None


class NotPaired(Unauthenticated):
    """No phone that is paired here signed this. Whether the account, the factor or the signature is at fault is not
    told.
    """

    code = "phone_not_paired"
    detail = "This phone is not paired with this account, or its request was not signed as it must be."

    def __init__(self) -> None:
        super().__init__(extra={"scheme": "Push"})


async def phone_of(ports: Ports, token: str, *, method: str, path: str, body: bytes) -> Phone:
    """The phone that signed this very request, now. ``path`` is without query. Raises ``NotPaired``."""
    now = ports.clock.now()
    try:
        factor_id = factor_of(token)
        paired = paired_phone(ports, await PhoneStore(ports).load(UserKey(factor=factor_id)), factor_id, now)
        claims = request_claims(token, paired.key)
        check_request(claims, aud=ports.site.public_url, method=method, path=path, body=body, now=now)
    except NotAccepted:
        raise NotPaired from None
    if not await ports.ephemeral.add_if_absent(f"push:{factor_id}:{claims.jti}", b"", ttl=JTI_LIFE):
        raise NotPaired
    return Phone(factor_id, paired)


def paired_phone(ports: Ports, snapshot: Snapshot, factor_id: str, now: int) -> Paired:
    """The phone of this factor, its row as we wrote it (K1). Raises ``NotPaired``."""
    user = snapshot.user
    factor = next((factor for factor in snapshot.factors if factor.id == factor_id), None)
    if user is None or not usable(user) or factor is None or factor.kind is not FactorKind.PUSH:
        raise NotPaired
    state = state_of(factor.public)
    if state.jwk is None or not alive(factor, now):
        raise NotPaired
    try:
        check_mac(ports, factor)
        return Paired(user, factor, state, public_key(state.jwk))
    except (MacBroken, NotAccepted):
        raise NotPaired from None


async def describe_phone(ports: Ports, phone: Phone) -> PhoneFactor:
    """The account as its phone may see it. Raises ``NotPaired``."""
    snapshot = await PhoneStore(ports).load(UserKey(factor=phone.factor_id))
    paired = paired_phone(ports, snapshot, phone.factor_id, ports.clock.now())
    factor, state = paired.factor, snapshot.states.get(phone.factor_id)
    return PhoneFactor(
        id=factor.id,
        name=paired.state.name,
        status=factor.status,
        locked=paired.state.locked,
        user=phone_user(paired.user, factor),
        organization=ports.site.organization,
        created_at=moment(factor.created_at),
        last_used_at=optional_moment(state.last_used_at if state else None),
        transports=list(paired.state.transports),
    )


def phone_user(user: User, factor: Factor) -> PhoneUser:
    """Whose account it is, as the phone lists it: until the phone counts by the name that the sign-in was begun with.

    Nobody knows yet who scanned the picture.
    """
    known = factor.status is FactorStatus.ACTIVE
    return PhoneUser(id=user.id, name=(user.display_name if known else None) or user.username)


def phone_key(factor_id: str) -> str:
    """What a phone that waits listens to."""
    return f"push:{factor_id}"


def pairing_key(factor_id: str) -> str:
    """What a page that waits for its pairing listens to."""
    return f"factor:{factor_id}"


def page_key(challenge_id: str) -> str:
    """What a page of the person's own that waits for a phone listens to."""
    return f"challenge:{challenge_id}"
