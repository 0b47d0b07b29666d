"""What is kept: one frozen record a table.

Every record belongs to a *root*, the thing whose version guards it: a user, an application, the
policy, the keys. A change names its root and the version that it was decided on, and is stored
whole or not at all (docs/adr/0003-aggregate-roots.md).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

from nightlatch.domain.factors.base import FactorKind


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A row. Field names are column names; instants are µs since the epoch, UTC."""


class UserKind(StrEnum):
    """Who signs in. Never changes after creation."""

    PERSON = "person"
    SERVICE = "service"


class UserStatus(StrEnum):
    """A deleted user keeps its name, so that nobody inherits it."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"


class Address(msgspec.Struct, frozen=True):
    """A mail address or phone number; ``verified_at`` is set by us alone."""

    value: str
    verified_at: int | None = None


class User(Record, frozen=True, kw_only=True):
    """A person or a service account. Root: itself."""

    id: str
    username: str
    kind: UserKind
    display_name: str | None = None
    groups: tuple[str, ...] = ()
    emails: tuple[Address, ...] = ()
    phones: tuple[Address, ...] = ()
    locale: str | None = None
    owner: str | None = None
    expires_at: int | None = None
    networks: tuple[str, ...] = ()
    status: UserStatus = UserStatus.ACTIVE
    grace_started_at: int | None = None
    audit_key: bytes = b""
    created_at: int
    updated_at: int


class Application(Record, frozen=True, kw_only=True):
    """A relying party. Root: itself."""

    id: str
    name: str
    return_urls: tuple[str, ...] = ()
    first_factor: Literal["pwd", "none"] | None = None
    created_at: int
    revoked_at: int | None = None


class ApiKey(Record, frozen=True, kw_only=True):
    """A key of an application, known by its SHA-256. Root: the application."""

    hash: bytes
    application_id: str
    scopes: tuple[str, ...]
    created_at: int
    revoked_at: int | None = None


class FactorStatus(StrEnum):
    """Only an activated factor counts."""

    PENDING = "pending"
    ACTIVE = "active"


class Factor(Record, frozen=True, kw_only=True):
    """One authenticator of a user. ``sealed`` holds its secret, ``public`` its parameters."""

    id: str
    user_id: str
    kind: FactorKind
    status: FactorStatus
    label: str | None = None
    public: dict[str, Any] = {}
    sealed: bytes | None = None
    created_at: int
    activated_at: int | None = None
    expires_at: int | None = None


class FactorState(Record, frozen=True, kw_only=True):
    """What must not race: the accepted step or counter, and the throttle.

    ``counter``: last accepted TOTP step, next HOTP counter, or bit mask of used backup codes.
    """

    factor_id: str
    user_id: str
    counter: int = -1
    failures_known: int = 0
    failures_other: int = 0
    blocked_known_until: int = 0
    blocked_other_until: int = 0
    stopped: bool = False
    last_used_at: int | None = None


class AuthenticationStatus(StrEnum):
    """Where one attempt stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Authentication(Record, frozen=True, kw_only=True):
    """One attempt of one user at one application, from the decision to the assertion.

    ``root`` is the user, or this row itself when nobody of that name exists; then ``user_id`` is a decoy like any other.
    ``device_hash``: of the device token that came; ``device_known``: the throttle's lane; ``redeemed_at``: its result was.
    """

    id: str
    root: str
    user_id: str
    user_known: bool = True
    application_id: str
    action: str = "login"
    action_details: dict[str, Any] | None = None
    acr_requested: str | None = None
    acr_required: str = "aal2"
    first_factor: Literal["pwd", "none"] | None = None
    ip: str
    user_agent: str | None = None
    device_hash: bytes | None = None
    device_known: bool = False
    remember_device: bool = False
    decision: str
    reasons: list[dict[str, Any]] = []
    allowed_kinds: tuple[str, ...] = ()
    skippable: bool = False
    fresh: bool = False
    max_age: int | None = None
    remember_for: int | None = None
    grace_ends_at: int | None = None
    policy_version: int = 0
    status: AuthenticationStatus
    status_reason: str | None = None
    wrong_answers: int = 0
    return_url: str | None = None
    state: str | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    factor_id: str | None = None
    jti: str | None = None
    approved_at: int | None = None
    approval_used_at: int | None = None
    redeemed_at: int | None = None
    created_at: int
    expires_at: int


class Challenge(Record, frozen=True, kw_only=True):
    """One use of one factor inside an authentication.

    ``mac`` is of the code that was sent or the number that was shown; ``data`` is public, ``sealed`` is not.
    ``resend_after`` is an instant; ``status`` is what a phone answered.
    """

    id: str
    user_id: str
    authentication_id: str
    factor_id: str
    kind: FactorKind
    created_at: int
    expires_at: int
    used_at: int | None = None
    mac: bytes | None = None
    sends: int = 0
    wrong_answers: int = 0
    resend_after: int | None = None
    data: dict[str, Any] = {}
    sealed: bytes | None = None
    status: str | None = None


class Device(Record, frozen=True, kw_only=True):
    """A browser or app seen before, known by the hash of its token.

    The predecessor of the token works until ``previous_until``; its use after that is theft.
    ``proved_at``: when a factor was last proved from it; without one it is no known device.
    """

    id: str
    user_id: str
    application_id: str
    token_hash: bytes
    previous_hash: bytes | None = None
    previous_until: int = 0
    proved_at: int | None = None
    remembered_at: int | None = None
    user_agent: str | None = None
    created_at: int
    last_seen_at: int
    revoked_at: int | None = None


class SeenNetwork(Record, frozen=True, kw_only=True):
    """A network prefix from which this user proved a factor, last on the day (UTC) that begins at ``last_at``."""

    user_id: str
    network: str
    last_at: int


class TicketKind(StrEnum):
    """What a bearer secret of ours opens."""

    PROMPT = "prompt"
    RESULT = "result"
    PORTAL_LINK = "portal_link"
    PORTAL_SESSION = "portal_session"
    MAIL_LINK = "mail_link"
    PAIRING = "pairing"


class Ticket(Record, frozen=True, kw_only=True):
    """Something that opens a door once (or for a while): kept as the SHA-256 of its token."""

    hash: bytes
    kind: TicketKind
    root: str
    user_id: str
    application_id: str | None = None
    authentication_id: str | None = None
    bound_hash: bytes | None = None
    data: dict[str, Any] = {}
    created_at: int
    expires_at: int
    used_at: int | None = None


class PolicyVersion(Record, frozen=True, kw_only=True):
    """A policy document as it was written. Root: ``policy``, whose version it carries."""

    version: int
    text: str
    actor: str
    created_at: int


class DataKey(Record, frozen=True, kw_only=True):
    """A data key wrapped by the key-encryption key. Root: ``keys``."""

    id: str
    wrapped: bytes
    created_at: int
    retired_at: int | None = None


class SigningKey(Record, frozen=True, kw_only=True):
    """An ES256 key that signs assertions, its private part sealed. Root: ``keys``."""

    kid: str
    sealed: bytes
    public_jwk: dict[str, Any]
    created_at: int
    retired_at: int | None = None


class IdempotentAnswer(Record, frozen=True, kw_only=True):
    """What a POST with this ``Idempotency-Key`` answered. Root: itself (``idk_`` + hash).

    ``status`` 0 means that the first request still runs. An answer that holds a secret is never
    kept: then ``sealed`` is empty and ``created_id`` tells what was made.
    """

    id: str
    body_hash: bytes
    status: int = 0
    sealed: bytes | None = None
    created_id: str | None = None
    created_at: int
    expires_at: int


class Channel(StrEnum):
    """How a message leaves."""

    SMS = "sms"
    MAIL = "mail"
    PUSH = "push"


class MessageStatus(StrEnum):
    """Where a message stands. ``sent``: a gateway took it; ``delivered``: it told so itself."""

    WAITING = "waiting"
    SENT = "sent"
    DELIVERED = "delivered"
    DEAD = "dead"
    EXPIRED = "expired"


class OutboxMessage(Record, frozen=True, kw_only=True):
    """Something to send after the commit that decided it. Root: the user.

    Inserted with the change, and never put again by one: from then on it belongs to the dispatcher, whose
    claims and marks leave the root's version alone. ``sealed`` holds the payload until it is sent, dead or
    too old; ``route`` holds what statistics and routing need, and nothing personal. ``lease`` names who
    sends it now.
    """

    id: str
    root: str
    user_id: str
    channel: Channel
    about: str | None = None
    route: dict[str, Any] = {}
    sealed: bytes | None = None
    status: MessageStatus = MessageStatus.WAITING
    attempts: int = 0
    due_at: int
    lease: str | None = None
    leased_until: int = 0
    gateway: str | None = None
    reference: str | None = None
    error: str | None = None
    created_at: int
    expires_at: int
    done_at: int | None = None


class SmsSend(Record, frozen=True, kw_only=True):
    """That a text was asked for, and whether its code was proved. Has its message's id. Root: the user.

    ``number_hash`` is a keyed digest. ``trusted``: the number was verified over 7 days ago (S11).
    """

    id: str
    user_id: str
    application_id: str | None
    challenge_id: str
    number_hash: bytes
    prefix: str
    country: str
    trusted: bool
    at: int
    verified_at: int | None = None


class SmsPause(Record, frozen=True, kw_only=True):
    """A prefix to which nothing is sent for a while. Root: ``sms``."""

    prefix: str
    reason: str
    paused_at: int
    until: int


class Event(Record, frozen=True, kw_only=True):
    """An audit event. Holds ids; ``personal`` is sealed under the user's own audit key."""

    id: str
    at: int
    type: str
    actor: str
    user_id: str | None = None
    application_id: str | None = None
    authentication_id: str | None = None
    factor_id: str | None = None
    factor_kind: str | None = None
    outcome: Literal["success", "failure", "info"]
    reason: str | None = None
    data: dict[str, Any] = {}
    personal: bytes | None = None
    leaf: bytes


POLICY_ROOT = "policy"
KEYS_ROOT = "keys"
SMS_ROOT = "sms"
