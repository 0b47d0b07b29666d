"""Queue a message in the change that decides it, and tell how it stands.

    message = queue(ports, now, Channel.SMS, user=user, payload={"to": number, "text": text}, ttl=5 * MINUTE)
    change = Change(…, new=(challenge, message))

Nothing else is needed: whoever commits a change with a message in it wakes the dispatcher.
"""

from __future__ import annotations

from typing import Any

import msgspec

from nightlatch.app.context import Ports
from nightlatch.domain.crypto.sealing import Place
from nightlatch.domain.ids import MESSAGE
from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage, User
from nightlatch.ports.outbox import LEASE_LOST


def queue(
    ports: Ports,
    now: int,
    channel: Channel,
    *,
    user: User,
    payload: dict[str, Any],
    ttl: int,
    about: str | None = None,
    authentication_id: str | None = None,
    route: dict[str, Any] | None = None,
) -> OutboxMessage:
    """A message for ``Change.new``, its payload sealed; it is never sent later than in ``ttl`` µs.

    ``payload`` holds the fields of the channel: ``to`` and ``text`` of a text, ``to``, ``subject``, ``text`` and
    ``html`` of a mail. ``about`` is the id of the challenge, factor or event that it tells of. ``route`` holds what
    routing and statistics need, nothing personal (``country``, ``prefix``, ``application``). Whoever waits for
    ``authentication_id`` is woken when the message cannot be sent.
    """
    id_ = ports.new_id(MESSAGE, now)
    named = {"authentication": authentication_id} if authentication_id else {}
    return OutboxMessage(
        id=id_,
        root=user.id,
        user_id=user.id,
        channel=channel,
        about=about,
        route={**(route or {}), **named},
        sealed=ports.sealer.seal(msgspec.json.encode(payload), message_place(id_, user.id)),
        due_at=now,
        created_at=now,
        expires_at=now + ttl,
    )


def message_place(message_id: str, user_id: str) -> Place:
    """Where a payload is sealed."""
    return Place("outbox", message_id, user_id, "sealed")


async def stand(ports: Ports, message_id: str) -> OutboxMessage | None:
    """How a message stands; its root's version does not tell. None once it was swept, after 90 days."""
    found = await ports.outbox.look([message_id])
    return found[0] if found else None


def not_sent(message: OutboxMessage) -> bool:
    """Whether the person should be told "could not send", and be offered other ways.

    True already while it is tried again: a code that comes after all still works.
    """
    if message.status is MessageStatus.WAITING:
        return message.error is not None and message.error != LEASE_LOST
    return message.status in (MessageStatus.DEAD, MessageStatus.EXPIRED)
