"""Deliver what was queued: hand it to its channel's handler, and store what became of it.

A message goes out at least once. Whoever claimed it and dies, or loses the answer of a gateway, leaves it to be sent
again, under the same id; how often that happened stands in the event. Nothing is sent after ``expires_at``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from nightlatch.app.attempt import wake_key
from nightlatch.app.context import Ports
from nightlatch.app.deliver.backoff import SCHEDULES, wait_after
from nightlatch.app.deliver.messages import message_place
from nightlatch.app.deliver.plain import plain
from nightlatch.app.deliver.telling import message_event
from nightlatch.domain.crypto.sealing import SealBroken, UnknownKey
from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage
from nightlatch.domain.time import SECOND
from nightlatch.ports.delivery import NotSent
from nightlatch.ports.outbox import LEASE_LOST, Mark

LEASE = 30 * SECOND
"""Who has not told in this time what became of a message is taken for dead."""

SENDING = 20 * SECOND
"""How long one hand-over may take; well within the lease, so that its mark comes in time."""

UNCERTAIN = "uncertain"
LAPSED = 500


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway took it. ``reference`` is its own name for it, if receipts will come."""

    gateway: str
    reference: str | None = None


class Handler(Protocol):
    """Hands over the messages of one channel. Keeps its own time-outs, shorter than ``SENDING``."""

    async def __call__(self, message: OutboxMessage, payload: dict[str, Any]) -> Sent:
        """Hand one over. Raises ``NotSent``; anything else is a mistake, and is tried again too."""
        ...


class Dispatcher:
    """What is done with messages; when, and how many at once, is its runner's affair."""

    def __init__(self, ports: Ports, handlers: Mapping[Channel, Handler]) -> None:
        self._ports = ports
        self._handlers = handlers

    @property
    def channels(self) -> Sequence[Channel]:
        """The channels that have a handler; what waits for others waits until it is too old."""
        return tuple(self._handlers)

    async def claim(self, channel: Channel, limit: int) -> Sequence[OutboxMessage]:
        """Take messages to deliver, each to be passed to ``deliver`` at once."""
        return await self._ports.outbox.claim(channel, limit=limit, lease=LEASE)

    async def deliver(self, message: OutboxMessage) -> None:
        """Hand a claimed message over and store what became of it.

        What a handler raises beyond ``NotSent`` is raised again once the message was put off.
        """
        if self._ports.clock.now() >= message.expires_at:
            await self._end(message, MessageStatus.EXPIRED, error=message.error)
            return
        try:
            sent = await self._handlers[message.channel](message, self._payload(message))
        except NotSent as failure:
            await self._not_sent(message, failure)
        except Exception as mistake:
            await self._not_sent(message, NotSent(f"crashed_{type(mistake).__name__}", uncertain=True))
            raise
        else:
            reference = plain(sent.reference) if sent.reference else None
            await self._end(
                message, MessageStatus.SENT, gateway=sent.gateway, reference=reference, error=_doubt(message)
            )

    async def lapse(self) -> int:
        """Store that messages became too old to be sent; how many at once, at most ``LAPSED``."""
        lapsed = await self._ports.outbox.lapse(limit=LAPSED, lease=LEASE)
        marks = [self._mark(message, MessageStatus.EXPIRED, error=message.error) for message in lapsed]
        if marks:
            await self._ports.outbox.mark(marks)
        for message in lapsed:
            await self._wake(message)
        return len(lapsed)

    def _payload(self, message: OutboxMessage) -> dict[str, Any]:
        place = message_place(message.id, message.user_id)
        try:
            opened = self._ports.sealer.open(message.sealed or b"", place)
        except UnknownKey:
            # Made by another process a moment ago: ours are reloaded within two seconds.
            raise NotSent("unknown_key") from None
        except SealBroken:
            raise NotSent("unreadable", permanent=True) from None
        payload: dict[str, Any] = msgspec.json.decode(opened)
        return payload

    async def _not_sent(self, message: OutboxMessage, failure: NotSent) -> None:
        """Put it off, or give it up."""
        schedule = SCHEDULES[message.channel]
        reason = plain(failure.reason)
        error = f"{UNCERTAIN}:{reason}" if failure.uncertain or _doubt(message) else reason
        if failure.permanent or message.attempts >= schedule.attempts:
            await self._end(message, MessageStatus.DEAD, gateway=failure.gateway, error=error)
            return
        due_at = self._ports.clock.now() + wait_after(schedule, message.attempts, self._ports.entropy)
        # Due at its end at the latest, so that this is noticed then.
        put_off = Mark(
            id=message.id,
            lease=_lease(message),
            status=MessageStatus.WAITING,
            due_at=min(due_at, message.expires_at),
            gateway=failure.gateway,
            error=error,
        )
        await self._ports.outbox.mark([put_off])
        await self._wake(message)

    async def _end(
        self,
        message: OutboxMessage,
        status: MessageStatus,
        *,
        gateway: str | None = None,
        reference: str | None = None,
        error: str | None = None,
    ) -> None:
        await self._ports.outbox.mark([self._mark(message, status, gateway=gateway, reference=reference, error=error)])
        if status is not MessageStatus.SENT:
            await self._wake(message)

    def _mark(
        self,
        message: OutboxMessage,
        status: MessageStatus,
        *,
        gateway: str | None = None,
        reference: str | None = None,
        error: str | None = None,
    ) -> Mark:
        stands = msgspec.structs.replace(message, status=status, gateway=gateway, error=error)
        return Mark(
            id=message.id,
            lease=_lease(message),
            status=status,
            gateway=gateway,
            reference=reference,
            error=error,
            events=(message_event(self._ports, stands),),
        )

    async def _wake(self, message: OutboxMessage) -> None:
        """Let the page that waits for this sign-in say that nothing comes."""
        authentication_id = message.route.get("authentication")
        if isinstance(authentication_id, str):
            await self._ports.wakeups.notify(wake_key(authentication_id))


def _lease(message: OutboxMessage) -> str:
    assert message.lease is not None, "only claimed messages are marked"
    return message.lease


def _doubt(message: OutboxMessage) -> str | None:
    """The error of an earlier try that may have been taken all the same; kept, so that repeats can be counted."""
    error = message.error or ""
    return error if error == LEASE_LOST or error.startswith(UNCERTAIN) else None
