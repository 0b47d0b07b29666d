"""Redeem the result code of a hosted prompt (X5)."""

from __future__ import annotations

import hmac

import msgspec

from nightlatch.app.approving import assertion_of, next_device
from nightlatch.app.attempt import key_of, load, own
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import recognize, stands
from nightlatch.app.events import make_event
from nightlatch.app.kernel import transact
from nightlatch.app.messages import ResultAnswer, ResultRequest
from nightlatch.app.tickets import hash_of, issue
from nightlatch.domain.errors import Conflict, Invalid
from nightlatch.domain.records import (
    Authentication,
    AuthenticationStatus,
    Record,
    Ticket,
    TicketKind,
    UserKind,
)
from nightlatch.domain.time import SECOND, holds
from nightlatch.ports.store import Change, Snapshot

LIFE = 60 * SECOND


def issue_result(ports: Ports, now: int, authentication: Authentication) -> tuple[str, Ticket]:
    """The code that goes back with the browser, and the ticket to store with the decision."""
    return issue(
        ports,
        now,
        TicketKind.RESULT,
        root=authentication.root,
        user_id=authentication.user_id,
        application_id=authentication.application_id,
        authentication_id=authentication.id,
        ttl=LIFE,
    )


async def redeem_result(ports: Ports, caller: Caller, authentication_id: str, request: ResultRequest) -> ResultAnswer:
    """What the prompt ended with, told once.

    Raises ``NotFound``; ``Invalid`` ``invalid_code`` for a code that is wrong, used, too old or of
    another authentication; ``Conflict`` for an authentication that was not hosted.
    """
    first = own(caller, await load(ports, authentication_id))
    if first.return_url is None:
        raise Conflict("This authentication was not hosted; it has no result.", code="not_hosted")
    hashed = hash_of(request.code)
    key = msgspec.structs.replace(key_of(first), ticket=hashed)

    async def decide(snapshot: Snapshot) -> tuple[Change, ResultAnswer]:
        now = ports.clock.now()
        authentication = own(caller, snapshot)
        ticket = _good(snapshot.ticket, authentication, hashed, now)
        redeemed = msgspec.structs.replace(authentication, redeemed_at=now)
        puts: list[Record] = [msgspec.structs.replace(ticket, used_at=now), redeemed]
        token = None
        user = snapshot.user
        assertion = assertion_of(ports, authentication, user, now) if stands(snapshot, authentication) else None
        if assertion is not None and user is not None and user.kind is UserKind.PERSON:
            seen = recognize(snapshot.device, authentication.device_hash, now)
            token, device = next_device(ports, authentication, seen.device, now)
            puts.append(device)
        event = make_event(
            ports,
            caller,
            now,
            "authentication:result_redeemed",
            outcome="info",
            user=user,
            authentication_id=authentication.id,
        )
        change = Change(
            root=authentication.root,
            expected=snapshot.version,
            puts=tuple(puts),
            events=(event,),
        )
        return change, _told(authentication, assertion, token)

    return await transact(ports.store, key, decide)


def _good(ticket: Ticket | None, authentication: Authentication, hashed: bytes, now: int) -> Ticket:
    if (
        ticket is None
        or ticket.kind is not TicketKind.RESULT
        or not hmac.compare_digest(ticket.hash, hashed)
        or ticket.authentication_id != authentication.id
        or ticket.used_at is not None
        or not holds(ticket.created_at, ticket.expires_at, now)
    ):
        raise Invalid.field("/code", "invalid_code", "This result code is wrong, used, or older than 60 seconds.")
    return ticket


def _told(authentication: Authentication, assertion: str | None, token: str | None) -> ResultAnswer:
    if assertion is not None:
        return ResultAnswer(status="approved", assertion=assertion, device_token=token)
    # Approved, and no more: it is too old, its user was disabled, or the factor that gave it was removed.
    approved = authentication.status is AuthenticationStatus.APPROVED
    return ResultAnswer(status="rejected", reason="expired" if approved else authentication.status_reason)
