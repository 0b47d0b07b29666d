"""What waits to be sent, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one claimed message. With ``waiting`` it is due again at ``due_at``.

    Anything else erases the payload.
    """

    id: str
    lease: str
    status: MessageStatus
    due_at: int = 0
    gateway: str | None = None
    reference: str | None = None
    error: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway told later of a message that it took, by its own name for it."""

    gateway: str
    reference: str
    delivered: bool
    error: str | None = None


class Outbox(Protocol):
    """Rows that many processes share. A claim is a lease: whoever dies with it loses it."""

    async def claim(self, channel: Channel, *, limit: int, lease: int) -> Sequence[OutboxMessage]:
        """Take due messages that nobody holds, oldest first, for ``lease`` µs; no two claimers get one.

        Messages past ``expires_at`` are marked as expired instead, and never handed out.
        """
        ...

    async def mark(self, marks: Sequence[Mark]) -> int:
        """Store what became of them; how many were still held under the lease they name."""
        ...

    async def receive(self, receipts: Sequence[Receipt]) -> Sequence[OutboxMessage]:
        """Store receipts in either order with the mark; the messages that they were for."""
        ...

    async def waiting(self) -> Mapping[Channel, int]:
        """How many wait, by channel."""
        ...
