"""Back to the application: decided, skipped, or given up."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from nightlatch.app.attempt import rejected, status_at
from nightlatch.app.cancel import cancelled
from nightlatch.app.context import Ports
from nightlatch.app.kernel import Decided
from nightlatch.app.prompt.session import CODES, Seat, Visit, move
from nightlatch.app.result import issue_result
from nightlatch.app.skip import skipped
from nightlatch.domain.errors import Conflict
from nightlatch.domain.records import Authentication, AuthenticationStatus, Record
from nightlatch.ports.store import Change, UserKey


async def leave_prompt(ports: Ports, visit: Visit) -> str:
    """The address to go back to, with a result code that works once, for 60 seconds.

    Asking again replaces a code that was not used yet. Raises ``Elsewhere``; ``Conflict`` while
    something is still to be done here, and once the result was fetched.
    """

    async def decide(seat: Seat) -> Decided[str]:
        now = ports.clock.now()
        authentication = seat.authentication
        status = status_at(authentication, now)
        if status is AuthenticationStatus.PENDING or CODES in seat.ticket.data:
            raise Conflict("The sign-in is not finished.", code="not_finished")
        if status is AuthenticationStatus.EXPIRED:
            authentication = rejected(authentication, "expired")
        return await _departure(ports, seat, authentication, now)

    return await move(ports, visit, decide)


async def cancel_prompt(ports: Ports, visit: Visit) -> str:
    """Give up, and the address to go back to. What is decided stays decided."""

    async def decide(seat: Seat) -> Decided[str]:
        now = ports.clock.now()
        if status_at(seat.authentication, now) is not AuthenticationStatus.PENDING:
            return None, ""
        change, over = cancelled(ports, seat.caller, seat.snapshot, seat.authentication, now)
        leaving, url = await _departure(ports, seat, over, now)
        return msgspec.structs.replace(leaving, events=change.events), url

    return await move(ports, visit, decide) or await leave_prompt(ports, visit)


async def skip_setup(ports: Ports, visit: Visit) -> None:
    """Put setting up off, within the days that policy grants. Raises ``Conflict``."""

    async def decide(seat: Seat) -> Decided[None]:
        change, _ = skipped(ports, seat.caller, seat.snapshot, seat.authentication, ports.clock.now())
        return change, None

    await move(ports, visit, decide)


async def _departure(ports: Ports, seat: Seat, authentication: Authentication, now: int) -> tuple[Change, str]:
    deletes = await _unused(ports, seat)
    code, ticket = issue_result(ports, now, authentication)
    change = Change(
        root=authentication.root,
        expected=seat.snapshot.version,
        puts=(authentication, seat.note(result=ticket.hash.hex())),
        new=(ticket,),
        deletes=deletes,
    )
    query = urlencode({"authentication": authentication.id, "code": code, "state": authentication.state or ""})
    address = authentication.return_url or ""
    return change, f"{address}{'&' if '?' in address else '?'}{query}"


async def _unused(ports: Ports, seat: Seat) -> tuple[Record, ...]:
    """The result code that an earlier press made. A result that was fetched is told once (X5)."""
    before = seat.ticket.data.get("result")
    if before is None:
        return ()
    ticket = (await ports.store.load(UserKey(ticket=bytes.fromhex(before)))).ticket
    if ticket is not None and ticket.used_at is not None:
        raise Conflict("The application has its answer already.", code="already_left")
    return (ticket,) if ticket is not None else ()
