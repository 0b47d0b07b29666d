"""Whose prompt it is: the browser that opened it, and nobody else (X5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from nightlatch.app.applications.standing import stands_by
from nightlatch.app.attempt import key_of, wake_key
from nightlatch.app.context import Caller, Ports
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.settling import raised
from nightlatch.app.tickets import hash_of
from nightlatch.domain.errors import NotFound, Refusal
from nightlatch.domain.ids import AUTHENTICATION, is_id
from nightlatch.domain.records import Authentication, Ticket, TicketKind
from nightlatch.domain.time import MINUTE, holds
from nightlatch.ports.store import Snapshot, UserKey

T = TypeVar("T")

SESSION_LIFE = 30 * MINUTE
"""Longer than the authentication: who was approved may take their time to save backup codes."""


# The notes of a session's ticket.
NAME = "name"
"""What an unknown person was called, sealed."""
BEGUN = "factor"
"""The factor that is being set up."""
DECOY = "secret"
"""The secret of one that is set up for nobody, sealed."""
DECOY_PHONE = "phone"
"""The code and number of a phone that is paired for nobody, sealed."""
CODES = "codes"
"""New backup codes that are not saved yet, sealed."""
NUMBER = "number"
"""What is shown of a number that is set up for nobody."""
BETTER = "better"
"""That something better than texts is offered here."""
ENROLLED = "enrolled"
"""That a factor was set up here."""


class Elsewhere(NotFound):
    """This browser did not open the prompt, or what it opened is long over."""

    code = "prompt_elsewhere"
    detail = "This page belongs to the browser that it was opened in first."


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser at a prompt; ``secret`` is its cookie's, None where it has none."""

    authentication_id: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class Seat:
    """The visit, let in: what it may see and move."""

    snapshot: Snapshot
    authentication: Authentication
    ticket: Ticket

    @property
    def caller(self) -> Caller:
        """The person, in front of the browser."""
        return Caller(actor=f"person:{self.authentication.user_id}")

    @property
    def peer_differs(self) -> bool:
        """Whether the browser's address is not in the network that the application told."""
        return bool(self.ticket.data.get("peer_differs"))

    def note(self, **data: Any) -> Ticket:
        """The session's ticket with other notes; None removes one."""
        kept = {key: value for key, value in {**self.ticket.data, **data}.items() if value is not None}
        return msgspec.structs.replace(self.ticket, data=kept)


def session_hash(authentication_id: str, secret: str) -> bytes:
    """How a session is looked up: the cookie opens this authentication's prompt alone."""
    return hash_of(f"{authentication_id}:{secret}")


async def take_seat(ports: Ports, visit: Visit) -> Seat:
    """Let a visit in. Raises ``Elsewhere``, also once the application was revoked: nobody could fetch the result."""
    seat = seated(await ports.store.load(_key(visit)), ports.clock.now())
    if not await stands_by(ports, seat.authentication.application_id):
        raise Elsewhere
    return seat


async def move(ports: Ports, visit: Visit, decide: Callable[[Seat], Awaitable[Decided[T | Refusal]]]) -> T:
    """Decide on the visit's authentication, store it, and wake who waits for it. Raises ``Elsewhere``."""
    first = await take_seat(ports, visit)
    key = msgspec.structs.replace(key_of(first.authentication), ticket=first.ticket.hash)

    async def on(snapshot: Snapshot) -> Decided[T | Refusal]:
        return await decide(seated(snapshot, ports.clock.now()))

    answer = await transact(ports.store, key, on)
    await ports.wakeups.notify(wake_key(visit.authentication_id))
    return raised(answer)


def seated(snapshot: Snapshot, now: int) -> Seat:
    """The seat that a snapshot shows. Raises ``Elsewhere``."""
    ticket, authentication = snapshot.ticket, snapshot.authentication
    if (
        ticket is None
        or authentication is None
        or ticket.kind is not TicketKind.PROMPT
        or ticket.authentication_id != authentication.id
        or not holds(ticket.created_at, ticket.expires_at, now)
    ):
        raise Elsewhere
    return Seat(snapshot, authentication, ticket)


def _key(visit: Visit) -> UserKey:
    if visit.secret is None or not is_id(visit.authentication_id, AUTHENTICATION):
        raise Elsewhere
    return UserKey(
        authentication=visit.authentication_id,
        ticket=session_hash(visit.authentication_id, visit.secret),
    )
