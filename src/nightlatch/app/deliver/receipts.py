"""What gateways tell later: delivered, or not after all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from nightlatch.app.attempt import wake_key
from nightlatch.app.context import Ports
from nightlatch.app.deliver.plain import plain
from nightlatch.app.deliver.telling import message_event
from nightlatch.domain.records import MessageStatus, OutboxMessage
from nightlatch.ports.outbox import Receipt


async def receive_receipts(ports: Ports, receipts: Sequence[Receipt]) -> Sequence[OutboxMessage]:
    """Store receipts of an authenticated gateway; the messages that they moved.

    A receipt of a message that is not marked as sent yet is kept for a moment; ``settle_receipts`` finds it.
    """
    moved = await ports.outbox.receive([_plain(receipt) for receipt in receipts], partial(message_event, ports))
    await _wake(ports, moved)
    return moved


def _plain(receipt: Receipt) -> Receipt:
    error = plain(receipt.error) if receipt.error else None
    return msgspec.structs.replace(receipt, reference=plain(receipt.reference), error=error)


async def settle_receipts(ports: Ports) -> int:
    """Apply receipts that came before their marks; how many."""
    moved = await ports.outbox.settle(partial(message_event, ports))
    await _wake(ports, moved)
    return len(moved)


async def _wake(ports: Ports, moved: Sequence[OutboxMessage]) -> None:
    """Let a page that waits say that nothing comes."""
    for message in moved:
        authentication_id = message.route.get("authentication")
        if message.status is MessageStatus.DEAD and isinstance(authentication_id, str):
            await ports.wakeups.notify(wake_key(authentication_id))
