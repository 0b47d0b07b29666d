"""What use cases are asked and what they answer: the wire's words, typed.

Requests refuse unknown fields. Times are aware datetimes; ids are strings with their prefix.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import Pairing
from nightlatch.domain.records import (
    AuthenticationStatus,
    FactorStatus,
    UserKind,
    UserStatus,
)

T = TypeVar("T")

Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
"""An RFC 3339 time; one without a zone is refused."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something asked for."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Something answered."""


class Page(Answer, Generic[T], frozen=True, kw_only=True):
    """One page of a list; ``next_cursor`` is None on the last."""

    data: list[T]
    next_cursor: str | None = None


# --- users ---------------------------------------------------------------------------------


class NewUser(Request, frozen=True, kw_only=True):
    username: str
    display_name: str | None = None
    kind: UserKind = UserKind.PERSON
    groups: list[str] = []
    emails: list[str] = []
    phones: list[str] = []
    locale: str | None = None
    owner: str | None = None
    expires_at: Moment | None = None
    networks: list[str] = []


class UserPatch(Request, frozen=True, kw_only=True):
    """Only what is sent changes; ``null`` clears what may be empty."""

    display_name: str | None | UnsetType = UNSET
    groups: list[str] | UnsetType = UNSET
    emails: list[str] | UnsetType = UNSET
    phones: list[str] | UnsetType = UNSET
    locale: str | None | UnsetType = UNSET
    owner: str | None | UnsetType = UNSET
    expires_at: Moment | None | UnsetType = UNSET
    networks: list[str] | UnsetType = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class AddressAnswer(Answer, frozen=True, kw_only=True):
    value: str
    verified_at: Moment | None


class UserAnswer(Answer, frozen=True, kw_only=True):
    id: str
    username: str
    display_name: str | None
    kind: UserKind
    groups: list[str]
    emails: list[AddressAnswer]
    phones: list[AddressAnswer]
    locale: str | None
    owner: str | None
    expires_at: Moment | None
    networks: list[str]
    status: UserStatus
    created_at: Moment
    updated_at: Moment


# --- factors -------------------------------------------------------------------------------


class NewFactor(Request, frozen=True, kw_only=True):
    """``phone`` is for ``sms``. ``secret`` (Base32) imports an existing one; the parameters are for apps that need them."""

    kind: FactorKind
    label: str | None = None
    approval: str | None = None
    phone: str | None = None
    secret: str | None = None
    algorithm: Literal["SHA1", "SHA256", "SHA512"] = "SHA1"
    digits: int = 6
    period: int = 30


class Enrollment(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """Shown this once. ``secret`` (Base32) of codes from an app; ``code`` and ``number`` pair a phone: it scans or
    takes the code, and its owner types the number that stands beside the picture. ``sms``: to which number the code
    went, until when it is good, when it may be sent again (``resend_after``, whole seconds), and ``notice``, which the
    person must be told.
    """

    uri: str = ""
    qr_svg: str = ""
    qr_png: str = ""
    secret: str | None = None
    code: str | None = None
    number: str | None = None
    sent_to: str | None = None
    code_expires_at: Moment | None = None
    resend_after: int | None = None
    notice: str | None = None


class FactorAnswer(Answer, frozen=True, kw_only=True):
    id: str
    kind: FactorKind
    status: FactorStatus
    label: str | None
    created_at: Moment
    activated_at: Moment | None
    last_used_at: Moment | None
    expires_at: Moment | None
    codes_left: int | None = None
    hint: str | None = None
    pairing: Pairing | None = None


class EnrolledFactor(FactorAnswer, frozen=True, kw_only=True):
    enrollment: Enrollment


class ActivatedFactor(FactorAnswer, frozen=True, kw_only=True):
    """``backup_codes`` only with a user's first activation, shown this once."""

    backup_codes: list[str] | None = None


class Activation(Request, frozen=True, kw_only=True):
    """Without ``code`` where the person answered on their phone."""

    code: str | None = None


class CodeSent(Answer, frozen=True, kw_only=True):
    """A new code is under way, and the one before it is dead. ``resend_after``: whole seconds."""

    factor: str
    sent_to: str
    expires_at: Moment
    resend_after: int


class FactorPatch(Request, frozen=True, kw_only=True):
    label: str | None


class Resynchronization(Request, frozen=True, kw_only=True):
    code: str
    next_code: str


class NewBackupCodes(Request, frozen=True, kw_only=True):
    approval: str | None = None


class BackupCodes(Answer, frozen=True, kw_only=True):
    backup_codes: list[str]


# --- authentications -----------------------------------------------------------------------


class ContextIn(Request, frozen=True, kw_only=True):
    """``ip`` is required: what is missing is never taken for safe."""

    ip: str
    user_agent: str | None = None
    device_token: str | None = None


class NewAuthentication(Request, frozen=True, kw_only=True):
    user: str | NewUser
    context: ContextIn
    action: str = "login"
    action_details: dict[str, Any] | None = None
    acr: str | None = None
    first_factor: Literal["pwd", "none"] | None = None
    return_url: str | None = None
    state: str | None = None


class ReasonAnswer(Answer, frozen=True, kw_only=True):
    code: str
    rule: str | None
    effect: str
    detail: str


class OfferedFactor(Answer, frozen=True, kw_only=True):
    id: str
    kind: FactorKind
    label: str | None
    hint: str | None


class AuthenticationAnswer(Answer, frozen=True, kw_only=True):
    id: str
    user: str
    decision: Literal["allow", "challenge", "enroll", "deny"]
    status: AuthenticationStatus
    acr_required: str
    reasons: list[ReasonAnswer]
    factors: list[OfferedFactor]
    grace_ends_at: Moment | None
    expires_at: Moment
    prompt_url: str | None
    assertion: str | None
    device_token: str | None
    reason: str | None | UnsetType = UNSET


class NewChallenge(Request, frozen=True, kw_only=True):
    """``remember_device`` is for what is answered elsewhere than here, on a phone."""

    factor: str
    remember_device: bool = False


class ChallengeAnswer(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """``number`` is what the person types on the phone: show it large. ``sent_to`` and ``resend_after`` (whole seconds)
    are of a code that was texted.
    """

    id: str
    kind: FactorKind
    factor: str
    expires_at: Moment
    number: str | None = None
    sent_to: str | None = None
    resend_after: int | None = None


class NewVerification(Request, frozen=True, kw_only=True):
    code: str | None = None
    credential: dict[str, Any] | None = None
    factor: str | None = None
    remember_device: bool = False


Rejection = Literal["wrong_code", "replayed", "expired", "throttled", "no_such_factor"]


class VerificationAnswer(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """Approved: with ``assertion``, ``device_token`` and ``factor``. Rejected: this attempt's
    ``reason``; ``retry_after`` in whole seconds where it was throttled.
    """

    status: Literal["approved", "rejected"]
    assertion: str | None = None
    device_token: str | None = None
    factor: str | None = None
    reason: str | None = None
    retry_after: int | None = None
    backup_codes_left: int | None = None


class OneShot(Request, frozen=True, kw_only=True):
    """``POST /v1/verify``: decision and verification in one call."""

    user: str
    code: str
    context: ContextIn
    factor: str | None = None
    action: str = "login"
    acr: str | None = None
    first_factor: Literal["pwd", "none"] | None = None


class OneShotAnswer(VerificationAnswer, frozen=True, kw_only=True):
    decision: Literal["allow", "challenge", "enroll", "deny"]
    id: str


class ResultRequest(Request, frozen=True, kw_only=True):
    code: str


class ResultAnswer(Answer, frozen=True, kw_only=True, omit_defaults=True):
    status: Literal["approved", "rejected"]
    assertion: str | None = None
    device_token: str | None = None
    reason: str | None = None


# --- links, devices, policy, audit ---------------------------------------------------------


class PortalLink(Answer, frozen=True, kw_only=True):
    url: str
    expires_at: Moment


class DeviceAnswer(Answer, frozen=True, kw_only=True):
    id: str
    application: str
    user_agent: str | None
    remembered: bool
    created_at: Moment
    last_seen_at: Moment


class PolicyAnswer(Answer, frozen=True, kw_only=True):
    """``document`` is the text as it was written; version 0 is the built-in default."""

    version: int
    document: str
    created_at: Moment | None
    actor: str | None
    weakens: list[str] = []


class EventAnswer(Answer, frozen=True, kw_only=True):
    seq: int
    id: str
    at: Moment
    type: str
    actor: str
    user: str | None
    application: str | None
    authentication: str | None
    factor: str | None
    factor_kind: str | None
    outcome: Literal["success", "failure", "info"]
    reason: str | None
    data: dict[str, Any]
    personal: dict[str, Any] | None


class NewApplication(Request, frozen=True, kw_only=True):
    """``first_factor``: what the application proves itself before it asks. Most check a password, so that is what
    is meant unless it says ``none``; with ``none`` a code alone never reaches ``aal2``.
    """

    name: str
    scopes: list[str] = msgspec.field(default_factory=lambda: ["authenticate"])
    return_urls: list[str] = []
    first_factor: Literal["pwd", "none"] | None = "pwd"


class ApplicationAnswer(Answer, frozen=True, kw_only=True):
    id: str
    name: str
    scopes: list[str]
    return_urls: list[str]
    first_factor: Literal["pwd", "none"] | None
    created_at: Moment
    revoked_at: Moment | None


class CreatedApplication(Answer, frozen=True, kw_only=True):
    """Printed once: ``api_key`` is kept as a hash only."""

    id: str
    api_key: str
