"""What a person's own page shows. Reading changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.deciding import active_factors
from nightlatch.app.kept import kept
from nightlatch.app.messages import Enrollment
from nightlatch.app.portal.changes import begun_factor
from nightlatch.app.portal.session import CODES, Room
from nightlatch.app.ways import Way, begun_enrollment, way_of
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.registry import by_strength
from nightlatch.domain.records import AuthenticationStatus
from nightlatch.domain.throttle import Lane
from nightlatch.domain.time import holds

SIGN_INS = 20
DEVICES = 50


@dataclass(frozen=True, slots=True)
class WayKept:
    """A way that is set up. Instants in µs; ``codes`` is how many backup codes there were."""

    way: Way
    added_at: int
    used_at: int | None
    codes: int


@dataclass(frozen=True, slots=True)
class BrowserSeen:
    """A browser that an application was used with."""

    id: str
    user_agent: str | None
    application: str
    remembered: bool
    seen_at: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in, or the attempt at one."""

    at: int
    application: str
    action: str
    user_agent: str | None
    ip: str
    kind: FactorKind | None
    approved: bool
    pending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalView:
    """All of a person's own page."""

    name: str
    ways: tuple[WayKept, ...]
    browsers: tuple[BrowserSeen, ...]
    sign_ins: tuple[SignIn, ...]
    changes_until: int | None
    now: int


async def view_portal(ports: Ports, room: Room) -> PortalView:
    """The page of a session that was let in."""
    now = ports.clock.now()
    until = room.changes_until()
    names = await _application_names(ports)
    return PortalView(
        name=room.user.display_name or room.user.username,
        ways=_ways(room, now),
        browsers=await _browsers(ports, room, names),
        sign_ins=await _sign_ins(ports, room, names, now),
        changes_until=until if until is not None and until > now else None,
        now=now,
    )


def view_enrollment(ports: Ports, room: Room) -> Enrollment | None:
    """The picture and key of the app that is being set up; None when there is none."""
    factor = begun_factor(room, ports.clock.now())
    if factor is None:
        return None
    return begun_enrollment(ports, room.user, factor)


def view_codes(ports: Ports, room: Room) -> tuple[str, ...]:
    """New backup codes until they are saved; none afterwards."""
    note = room.ticket.data.get(CODES)
    if note is None:
        return ()
    return msgspec.json.decode(kept(ports, room.user.id, CODES, note), type=tuple[str, ...])


def _ways(room: Room, now: int) -> tuple[WayKept, ...]:
    factors = active_factors(room.snapshot)
    order = by_strength(factor.kind for factor in factors)
    known = sorted((f for f in factors if f.kind in order), key=lambda f: (order.index(f.kind), f.id))
    states = room.snapshot.states
    return tuple(
        WayKept(
            way_of(factor, states.get(factor.id), Lane.OTHER, now),
            factor.activated_at or factor.created_at,
            states[factor.id].last_used_at if factor.id in states else None,
            int(factor.public.get("count", 0)),
        )
        for factor in known
    )


async def _browsers(ports: Ports, room: Room, names: dict[str, str]) -> tuple[BrowserSeen, ...]:
    devices = [d for d in await ports.directory.devices(room.user.id, None) if d.revoked_at is None]
    return tuple(
        BrowserSeen(d.id, d.user_agent, names.get(d.application_id, ""), d.remembered_at is not None, d.last_seen_at)
        for d in devices[:DEVICES]
    )


async def _sign_ins(ports: Ports, room: Room, names: dict[str, str], now: int) -> tuple[SignIn, ...]:
    kinds = {factor.id: factor.kind for factor in room.snapshot.factors}
    return tuple(
        SignIn(
            at=a.approved_at or a.created_at,
            application=names.get(a.application_id, ""),
            action=a.action,
            user_agent=a.user_agent,
            ip=a.ip,
            kind=kinds.get(a.factor_id or ""),
            approved=a.status is AuthenticationStatus.APPROVED,
            pending=a.status is AuthenticationStatus.PENDING and holds(a.created_at, a.expires_at, now),
        )
        for a in await ports.directory.sign_ins(room.user.id, limit=SIGN_INS)
    )


async def _application_names(ports: Ports) -> dict[str, str]:
    return {kept_one.application.id: kept_one.application.name for kept_one in await ports.catalog.applications()}
