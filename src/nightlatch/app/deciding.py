"""From a request and a snapshot to policy's decision: subject, context, signals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.messages import ContextIn, OfferedFactor
from nightlatch.app.networks import address_of, network_of
from nightlatch.domain.assurance import Assurance, FirstFactor, reachable, satisfies
from nightlatch.domain.crypto.tokens import hash_token
from nightlatch.domain.factors.registry import REGISTRY, by_strength
from nightlatch.domain.policy.compiled import CompiledPolicy
from nightlatch.domain.policy.decision import Context, Decision, Signals, Subject
from nightlatch.domain.policy.evaluate import decide
from nightlatch.domain.records import (
    Application,
    Authentication,
    Device,
    Event,
    Factor,
    FactorStatus,
    Record,
    User,
    UserStatus,
)
from nightlatch.domain.throttle import Lane
from nightlatch.domain.time import holds
from nightlatch.ports.store import Snapshot

MAX_TOKEN = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, checked in form: one attempt at one application."""

    application: Application
    action: str
    acr: str | None
    first_factor: FirstFactor | None
    ip: str
    network: str
    user_agent: str | None
    device_hash: bytes | None


def asked(
    application: Application,
    context: ContextIn,
    *,
    action: str,
    acr: str | None,
    first_factor: FirstFactor | None,
) -> Asked:
    """Check the context; the application's registered first factor is the default."""
    token = context.device_token
    return Asked(
        application=application,
        action=action,
        acr=acr,
        first_factor=first_factor or application.first_factor,
        ip=address_of(context.ip),
        network=network_of(context.ip),
        user_agent=context.user_agent,
        device_hash=hash_token(token[:MAX_TOKEN]) if token else None,
    )


@dataclass(frozen=True, slots=True)
class Recognized:
    """What the device token told. ``stolen``: a predecessor was used after its time."""

    device: Device | None
    signal: Literal["missing", "unknown", "recognised", "remembered"]
    stolen: bool = False

    @property
    def lane(self) -> Lane:
        """Whose throttle lane the request is in (H5)."""
        known = self.device is not None and self.device.proved_at is not None
        return Lane.KNOWN if known else Lane.OTHER


def recognize(device: Device | None, device_hash: bytes | None, now: int) -> Recognized:
    """Judge a device token: the current one, its predecessor for a minute, or a thief's."""
    if device_hash is None:
        return Recognized(None, "missing")
    if device is None or device.revoked_at is not None:
        return Recognized(None, "unknown")
    if device.token_hash != device_hash and not holds(device.last_seen_at, device.previous_until + 1, now):
        return Recognized(device=None, signal="unknown", stolen=now > device.previous_until)
    if device.proved_at is None:
        return Recognized(device, "unknown")
    return Recognized(device, "remembered" if device.remembered_at else "recognised")


def usable(user: User | None) -> bool:
    """Whether the user exists and may sign in at all."""
    return user is not None and user.status is UserStatus.ACTIVE


def active_factors(snapshot: Snapshot) -> tuple[Factor, ...]:
    """Only an activated factor counts."""
    return tuple(f for f in snapshot.factors if f.status is FactorStatus.ACTIVE)


def stands(snapshot: Snapshot, authentication: Authentication) -> bool:
    """Whether an approval is still good: its user may sign in, and still has the factor that gave it (R6)."""
    if not usable(snapshot.user):
        return False
    given_by = authentication.factor_id
    return given_by is None or any(factor.id == given_by for factor in active_factors(snapshot))


def evaluate(policy: CompiledPolicy, snapshot: Snapshot, ask: Asked, seen: Recognized, now: int) -> Decision:
    """Policy's decision on this attempt."""
    user = snapshot.user
    exists = user is not None and user.status is not UserStatus.DELETED
    subject = Subject(
        user_id=user.id if user else "",
        kind=user.kind.value if user else "person",
        groups=user.groups if user and exists else (),
        active=tuple(factor.kind.value for factor in active_factors(snapshot)),
        grace_started_at=user.grace_started_at if user else None,
        expires_at=user.expires_at if user else None,
        networks=user.networks if user else (),
        known=exists,
        disabled=exists and not usable(user),
    )
    context = Context(
        application_id=ask.application.id,
        application=ask.application.name,
        action=ask.action,
        ip=ask.ip,
        acr=ask.acr,
        first_factor=ask.first_factor,
        device_token_present=ask.device_hash is not None,
    )
    signals = Signals(
        device=seen.signal,
        remembered_at=seen.device.remembered_at if seen.device else None,
        place="known" if snapshot.network else "new",
    )
    return decide(policy, subject, context, signals, now)


def offered(
    snapshot: Snapshot, allowed: tuple[str, ...], acr: str, first_factor: FirstFactor | None
) -> tuple[Factor, ...]:
    """The active factors that policy allows and that reach the level, strongest first."""
    fit = [
        factor
        for factor in active_factors(snapshot)
        if factor.kind.value in allowed
        and factor.kind in REGISTRY
        and satisfies(reachable((factor.kind,), first_factor), Assurance(acr))
    ]
    order = by_strength(factor.kind for factor in fit)
    return tuple(sorted(fit, key=lambda factor: (order.index(factor.kind), factor.id)))


def offer(factor: Factor) -> OfferedFactor:
    """What an application may show of a factor before it is proved."""
    return OfferedFactor(id=factor.id, kind=factor.kind, label=factor.label, hint=factor.public.get("hint"))


def theft(
    ports: Ports, caller: Caller, snapshot: Snapshot, seen: Recognized, now: int
) -> tuple[tuple[Record, ...], tuple[Event, ...]]:
    """Revoke a device whose outlived token was used, and say so."""
    if not seen.stolen or snapshot.device is None:
        return (), ()
    revoked = msgspec.structs.replace(snapshot.device, revoked_at=now)
    event = make_event(
        ports,
        caller,
        now,
        "device:stolen_token",
        outcome="failure",
        user=snapshot.user,
        data={"device": revoked.id},
    )
    return (revoked,), (event,)
