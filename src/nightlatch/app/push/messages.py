"""What phones ask and are answered (docs/reference/push-protocol.md): the wire's words, typed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from nightlatch.app.messages import Answer, Moment, Request
from nightlatch.domain.records import FactorStatus

LONGEST_ENDPOINT = 2048
LONGEST_DEVICE_TOKEN = 4096

Address = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ENDPOINT)]
DeviceToken = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_DEVICE_TOKEN)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class WebPushKeys(Request, frozen=True, kw_only=True):
    """Of a browser's subscription: its public key and its secret (RFC 8291 §2)."""

    p256dh: Key
    auth: Key


class WebPush(Request, frozen=True, kw_only=True, rename="camel"):
    """What a browser's ``PushSubscription`` says of itself as JSON."""

    endpoint: Address
    keys: WebPushKeys
    expiration_time: float | None = None


class Subscription(Request, frozen=True, kw_only=True, omit_defaults=True):
    """How a phone is rung, each way that it has. Without any it asks by itself while it is open."""

    web: WebPush | None = None
    fcm: DeviceToken | None = None
    apns: DeviceToken | None = None
    ntfy: Address | None = None


class NewPairing(Request, frozen=True, kw_only=True):
    """A phone takes a pairing code. ``proof`` is a JWS by the key that it registers."""

    code: str
    public_key: dict[str, Any]
    proof: str
    name: str
    subscription: Subscription | None = None


class PhoneUser(Answer, frozen=True, kw_only=True):
    """Whose account it is."""

    id: str
    name: str


class PairingChallenge(Answer, frozen=True, kw_only=True):
    """What the phone answers with the number that stands beside the QR picture."""

    id: str
    nonce: str
    action: str
    application: str | None
    action_hash: str | None
    expires_at: Moment


class PairedPhone(Answer, frozen=True, kw_only=True):
    factor: str
    user: PhoneUser
    organization: str
    challenge: PairingChallenge


class AskingApplication(Answer, frozen=True, kw_only=True):
    id: str
    name: str


class SignInPlace(Answer, frozen=True, kw_only=True):
    """Where the sign-in comes from, as far as it is known."""

    network: str


class PushChallenge(Answer, frozen=True, kw_only=True):
    """A sign-in that waits for this phone. The number is not here: only the sign-in shows it."""

    id: str
    nonce: str
    factor: str
    application: AskingApplication | None
    action: str
    action_hash: str | None
    place: SignInPlace | None
    user_agent: str | None
    created_at: Moment
    expires_at: Moment
    action_details: dict[str, Any] | UnsetType = UNSET


class PushChallenges(Answer, frozen=True, kw_only=True):
    challenges: list[PushChallenge]


class PushResponse(Request, frozen=True, kw_only=True):
    """``response`` is a JWS by the phone's key."""

    response: str


Responded = Literal["approved", "denied", "not_me", "wrong_number", "expired", "blocked"]


class PushResponded(Answer, frozen=True, kw_only=True):
    """``expired``: it is over, or was answered before. ``blocked``: this phone may not answer for the account now."""

    status: Responded


class NewSubscription(Request, frozen=True, kw_only=True):
    subscription: Subscription


class PhoneFactor(Answer, frozen=True, kw_only=True):
    """An account as its phone sees it."""

    id: str
    name: str | None
    status: FactorStatus
    locked: Literal["denied", "not_me"] | None
    user: PhoneUser
    organization: str
    created_at: Moment
    last_used_at: Moment | None
    transports: list[str]
