"""What the prompt shows now. Reading changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from nightlatch.app.attempt import status_at
from nightlatch.app.context import Ports
from nightlatch.app.deciding import active_factors, offered, usable
from nightlatch.app.factors.enroll import enrollment_of
from nightlatch.app.kept import kept
from nightlatch.app.messages import Enrollment
from nightlatch.app.prompt.number import is_number, may_text
from nightlatch.app.prompt.session import (
    BEGUN,
    BETTER,
    CODES,
    DECOY,
    DECOY_PHONE,
    ENROLLED,
    Seat,
    Visit,
    take_seat,
)
from nightlatch.app.prompt.setup import APP, begun, name_of_nobody
from nightlatch.app.push.nobody import phone_of_nobody
from nightlatch.app.ways import Way, begun_enrollment, way_of
from nightlatch.domain.errors import NotFound
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import (
    Authentication,
    AuthenticationStatus,
    User,
    UserKind,
)
from nightlatch.domain.throttle import Lane


class Stage(StrEnum):
    """Where a sign-in stands, as the person in front of it sees it."""

    CHALLENGE = "challenge"
    GRACE = "grace"
    START = "start"
    SETUP = "setup"
    NUMBER = "number"
    BETTER = "better"
    BACKUP_CODES = "backup_codes"
    ALL_SET = "all_set"
    LEAVE = "leave"
    REFUSED = "refused"
    OVER = "over"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptView:
    """Instants and durations in µs. ``remember_for`` is None where nothing may be remembered.
    ``may_text``: a number may be set up here; ``by_text`` and ``by_phone``: what proved this sign-in.
    ``allowed_kinds``: what answers it, or is worth setting up.
    """

    stage: Stage
    authentication_id: str
    application: str
    action: str
    return_url: str
    now: int
    ways: tuple[Way, ...] = ()
    remember_for: int | None = None
    grace_ends_at: int | None = None
    reason: str | None = None
    skipped: bool = False
    may_text: bool = False
    by_text: bool = False
    by_phone: bool = False
    allowed_kinds: tuple[str, ...] = ()


async def view_prompt(ports: Ports, visit: Visit) -> PromptView:
    """Where this sign-in stands. Raises ``Elsewhere``."""
    seat = await take_seat(ports, visit)
    now = ports.clock.now()
    a = seat.authentication
    application = await ports.catalog.application(a.application_id)
    if application is None:
        raise NotFound
    return PromptView(
        stage=_stage(seat, now),
        authentication_id=a.id,
        application=application.application.name,
        action=a.action,
        return_url=a.return_url or "",
        now=now,
        ways=ways_of(seat, now),
        remember_for=None if seat.peer_differs else a.remember_for,
        grace_ends_at=a.grace_ends_at,
        reason=a.status_reason,
        skipped=a.status is AuthenticationStatus.APPROVED and a.factor_id is None,
        may_text=may_text(seat),
        allowed_kinds=a.allowed_kinds,
        by_phone=_proved_by(seat, FactorKind.PUSH),
        by_text=_proved_by(seat, FactorKind.SMS),
    )


async def view_enrollment(ports: Ports, visit: Visit) -> Enrollment | None:
    """The picture and key of the factor that was begun here; None when there is none."""
    seat = await take_seat(ports, visit)
    if not begun(seat, ports.clock.now()):
        return None
    user = seat.snapshot.user
    if user is None:
        return await _decoy_enrollment(ports, seat)
    factor = next(f for f in seat.snapshot.factors if f.id == seat.ticket.data[BEGUN])
    return begun_enrollment(ports, user, factor)


async def view_codes(ports: Ports, visit: Visit) -> tuple[str, ...]:
    """New backup codes until they are saved; none afterwards."""
    seat = await take_seat(ports, visit)
    note = seat.ticket.data.get(CODES)
    if note is None:
        return ()
    return msgspec.json.decode(kept(ports, seat.authentication.user_id, CODES, note), type=tuple[str, ...])


def ways_of(seat: Seat, now: int) -> tuple[Way, ...]:
    """The ways that answer this sign-in, strongest first; none once it is decided."""
    a = seat.authentication
    if status_at(a, now) is not AuthenticationStatus.PENDING or not usable(seat.snapshot.user):
        return ()
    lane = Lane.KNOWN if a.device_known else Lane.OTHER
    factors = offered(seat.snapshot, a.allowed_kinds, a.acr_required, a.first_factor)
    return tuple(way_of(factor, seat.snapshot.states.get(factor.id), lane, now) for factor in factors)


def _stage(seat: Seat, now: int) -> Stage:
    a = seat.authentication
    status = status_at(a, now)
    if status is AuthenticationStatus.PENDING:
        return _open_stage(seat, a, now)
    if status is AuthenticationStatus.APPROVED:
        if CODES in seat.ticket.data:
            return Stage.BACKUP_CODES
        if ENROLLED in seat.ticket.data:
            return Stage.ALL_SET
        if BETTER in seat.ticket.data:
            return Stage.SETUP if begun(seat, now) else Stage.BETTER
        return Stage.LEAVE
    if status is AuthenticationStatus.EXPIRED:
        return Stage.EXPIRED
    return Stage.REFUSED if a.decision == "deny" else Stage.OVER


def _open_stage(seat: Seat, a: Authentication, now: int) -> Stage:
    if a.decision == "challenge":
        return Stage.CHALLENGE if ways_of(seat, now) else Stage.REFUSED
    # Who has a factor that policy no longer counts adds another only by proving it, on their own page (B1).
    if a.decision != "enroll" or active_factors(seat.snapshot):
        return Stage.REFUSED
    if begun(seat, now):
        return Stage.NUMBER if is_number(seat) else Stage.SETUP
    deadline = a.grace_ends_at
    return Stage.GRACE if a.skippable and deadline is not None and now < deadline else Stage.START


def _proved_by(seat: Seat, kind: FactorKind) -> bool:
    by = seat.authentication.factor_id
    return any(factor.id == by and factor.kind is kind for factor in seat.snapshot.factors)


async def _decoy_enrollment(ports: Ports, seat: Seat) -> Enrollment | None:
    user_id, data = seat.authentication.user_id, seat.ticket.data
    if DECOY_PHONE in data:
        found = await phone_of_nobody(ports, data[BEGUN])
        return None if found is None else begun_enrollment(ports, *found[:2])
    name = name_of_nobody(ports, seat)
    nobody = User(id=user_id, username=name, kind=UserKind.PERSON, created_at=0, updated_at=0)
    return enrollment_of(ports, nobody, APP, kept(ports, user_id, DECOY, data[DECOY]))
