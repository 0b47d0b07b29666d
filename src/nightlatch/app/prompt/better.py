"""Guided to something better: who signs in by texts alone is shown an app, afterwards and at most once a week."""

from __future__ import annotations

import msgspec

from nightlatch.app.answer import Answered
from nightlatch.app.context import Ports
from nightlatch.app.deciding import active_factors, stands
from nightlatch.app.factors.rules import WEAK, may_add
from nightlatch.app.prompt.session import BETTER, Seat
from nightlatch.app.step_up import APPROVAL_LIFE, Leave
from nightlatch.domain.errors import Conflict
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import AuthenticationStatus
from nightlatch.domain.time import DAY
from nightlatch.ports.store import Change

EVERY = 7 * DAY
NUDGED = "nudged_at"
"""In ``Factor.public``: when its owner was last shown something better."""


async def nudged(ports: Ports, seat: Seat, change: Change, answered: Answered, now: int) -> Change:
    """The change of an answer; with the note that something better is to be shown, where it is time for that."""
    factor = answered.judged.factor
    if not answered.approved or factor is None or factor.kind is not FactorKind.SMS or seat.peer_differs:
        return change
    active = active_factors(seat.snapshot)
    last = max((int(f.public.get(NUDGED, 0)) for f in active), default=0)
    # One from the future was before the clock was set back.
    if any(f.kind not in WEAK for f in active) or 0 <= now - last < EVERY or seat.authentication.action != "login":
        return change
    if not may_add(await ports.policies.current(), seat.snapshot, FactorKind.TOTP):
        return change
    shown = msgspec.structs.replace(factor, public={**factor.public, NUDGED: now})
    return msgspec.structs.replace(change, puts=(*change.puts, shown, seat.note(**{BETTER: True})))


def leave_to_better(seat: Seat, now: int) -> Leave:
    """What the sign-in that has just been proved permits: its owner's way is the highest that they have (B1, E4).

    Raises ``Conflict`` once that is too long ago.
    """
    a = seat.authentication
    approved = a.status is AuthenticationStatus.APPROVED and a.approved_at is not None and a.factor_id is not None
    if BETTER not in seat.ticket.data or not approved or seat.peer_differs or not stands(seat.snapshot, a):
        raise Conflict("This sign-in asks for no set-up.", code="not_enrolling")
    if not 0 <= now - (a.approved_at or 0) <= APPROVAL_LIFE:
        raise Conflict("This sign-in was proved too long ago.", code="not_enrolling")
    return Leave(approved=True, approval=a.id)
