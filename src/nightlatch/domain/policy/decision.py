"""What policy is asked about, and what it answers. Plain data, so that an answer can be kept, shown and replayed."""

from __future__ import annotations

from typing import Literal

import msgspec

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.factors.base import FactorKind

Outcome = Literal["allow", "challenge", "enroll", "deny"]
Effect = Literal["allow", "prompt_mfa", "require_mfa", "raise", "enroll", "deny"]
Confirmation = Literal["none", "verified_address", "invitation"]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs in.

    ``active``: the kinds of the activated factors, also of one that is throttled or stopped: else guessing until a
    factor stops would turn its owner into somebody without one, who may skip. ``expires_at`` and ``networks`` are of
    service accounts. ``known``: a user of that name exists. Instants in µs.
    """

    user_id: str
    kind: Literal["person", "service"] = "person"
    groups: tuple[str, ...] | frozenset[str] = ()
    active: tuple[str, ...] = ()
    grace_started_at: int | None = None
    expires_at: int | None = None
    networks: tuple[str, ...] = ()
    operator: bool = False
    known: bool = True
    disabled: bool = False


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What is attempted, and from where. ``ip`` is the application's word, ``peer_ip`` what the hosted prompt saw."""

    application_id: str
    application: str
    action: str = "login"
    ip: str
    peer_ip: str | None = None
    acr: str | None = None
    first_factor: str | None = None
    device_token_present: bool = False


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """What was recognised. The defaults are the riskiest, since what is missing is never taken for safe."""

    device: Literal["missing", "unknown", "recognised", "remembered"] = "missing"
    remembered_at: int | None = None
    place: Literal["known", "new", "missing"] = "missing"
    address_mismatch: bool = False


class Reason(msgspec.Struct, frozen=True):
    """One thing that bore on a decision. ``code`` is stable; ``detail`` is a sentence for people who build."""

    code: str
    rule: str | None
    effect: Effect
    detail: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What policy says about one attempt.

    - ``allowed_kinds``: what may answer a ``challenge``, or what is worth adding on ``enroll``.
    - ``grace_starts``: this is the first decision that wanted a factor; keep ``now`` as the start of the grace period.
    - ``grace_ends_at``: the deadline of a person without a factor, also when it has passed.
    - ``skippable``: an ``enroll`` that may be put off, which is then an approval at ``aal1``.
    - ``fresh``: only a factor proved in this authentication counts; ``max_age`` (µs) bounds the use of its approval.
    - ``remember_for``: for how long (µs) an approval may remember this device; None where it may not.
    - ``confirmation``, ``hold``: what adding a *first* factor needs, and how long (µs) it then rests.
    - ``report_only``: what the document beside the enforced one would have said; it changes nothing.
    """

    outcome: Outcome
    acr_required: Assurance
    reasons: tuple[Reason, ...]
    policy_version: int
    grace_ends_at: int | None = None
    grace_starts: bool = False
    skippable: bool = False
    fresh: bool = False
    max_age: int | None = None
    allowed_kinds: tuple[FactorKind, ...] = ()
    remember_for: int | None = None
    confirmation: Confirmation = "none"
    hold: int = 0
    report_only: Decision | None = None
