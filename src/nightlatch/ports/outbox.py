"""What waits to be sent, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from nightlatch.domain.records import Channel, Event, MessageStatus, OutboxMessage


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one claimed message. With ``waiting`` it is due again at ``due_at``.

    Anything else erases the payload. ``events`` are stored with it, or not at all; no root's version moves.
    """

    id: str
    lease: str
    status: MessageStatus
    due_at: int = 0
    gateway: str | None = None
    reference: str | None = None
    error: str | None = None
    events: tuple[Event, ...] = ()


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway told later of a message that it took, by its own name for it."""

    gateway: str
    reference: str
    delivered: bool
    error: str | None = None


Tell = Callable[[OutboxMessage], Event]
"""The audit event for a message as it stands after a receipt."""

LEASE_LOST = "lease_lost"
"""The ``error`` of a claimed message that somebody held before, who never told what became of it."""


class Outbox(Protocol):
    """Rows that many processes share. A claim is a lease: whoever dies with it loses it."""

    async def claim(self, channel: Channel, *, limit: int, lease: int) -> Sequence[OutboxMessage]:
        """Take due messages that nobody holds, oldest first, for ``lease`` µs; no two claimers get one.

        ``attempts`` counts this one. Messages past ``expires_at`` are never handed out.
        """
        ...

    async def lapse(self, *, limit: int, lease: int) -> Sequence[OutboxMessage]:
        """Take messages past ``expires_at`` that nobody holds, their payloads erased, to be marked as expired."""
        ...

    async def mark(self, marks: Sequence[Mark]) -> int:
        """Store what became of them; how many were still held under the lease they name."""
        ...

    async def receive(self, receipts: Sequence[Receipt], tell: Tell) -> Sequence[OutboxMessage]:
        """Store receipts with their events; the messages that they moved.

        A receipt that comes before its mark is kept for some minutes, for ``settle``.
        """
        ...

    async def settle(self, tell: Tell) -> Sequence[OutboxMessage]:
        """Apply kept receipts whose marks have come; the messages that they moved."""
        ...

    async def reseal(self, message: OutboxMessage, sealed: bytes) -> bool:
        """Put another payload in the place of this one; whether it was still there."""
        ...

    async def look(self, ids: Sequence[str]) -> Sequence[OutboxMessage]:
        """How these messages stand, those that there are."""
        ...

    async def waiting(self) -> Mapping[Channel, int]:
        """How many wait, by channel."""
        ...
