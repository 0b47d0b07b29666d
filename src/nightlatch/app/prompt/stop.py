"""Setting up something else after all, or beginning anew after a wrong number."""

from __future__ import annotations

import msgspec

from nightlatch.app.attempt import status_at
from nightlatch.app.context import Ports
from nightlatch.app.factors.remove import drop_factor
from nightlatch.app.kernel import Decided
from nightlatch.app.prompt.session import BEGUN, DECOY, DECOY_PHONE, NUMBER, Seat, Visit, move
from nightlatch.app.push.nobody import phone_of_nobody
from nightlatch.app.step_up import Leave
from nightlatch.domain.records import AuthenticationStatus, FactorStatus
from nightlatch.ports.store import Change


async def stop_setup(ports: Ports, visit: Visit) -> None:
    """Drop what was begun here; it never counted. What is turned on already stays. Raises ``Elsewhere``."""

    async def decide(seat: Seat) -> Decided[None]:
        now = ports.clock.now()
        factor_id = seat.ticket.data.get(BEGUN)
        if factor_id is None or status_at(seat.authentication, now) is not AuthenticationStatus.PENDING:
            return None, None
        note = seat.note(**{BEGUN: None, DECOY: None, DECOY_PHONE: None, NUMBER: None})
        factor = next((f for f in seat.snapshot.factors if f.id == factor_id), None)
        if factor is not None and factor.status is not FactorStatus.PENDING:
            return None, None
        if factor is None:
            found = await phone_of_nobody(ports, factor_id) if DECOY_PHONE in seat.ticket.data else None
            ended = () if found is None else (found[2],)
            return Change(root=seat.ticket.root, expected=seat.snapshot.version, puts=(note,), deletes=ended), None
        change, _ = await drop_factor(ports, seat.caller, seat.snapshot, factor.id, Leave(approved=False), now)
        return msgspec.structs.replace(change, puts=(*change.puts, note)), None

    await move(ports, visit, decide)
