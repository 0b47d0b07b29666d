"""The audit events of messages. They belong to no change, so no request waits for them, and none is lost:
each is stored in the transaction that moves its message.
"""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.domain.records import Event, MessageStatus, OutboxMessage

_TYPES = {
    MessageStatus.SENT: "message:sent",
    MessageStatus.DELIVERED: "message:delivered",
    MessageStatus.DEAD: "message:dead",
    MessageStatus.EXPIRED: "message:expired",
}
_GOOD = (MessageStatus.SENT, MessageStatus.DELIVERED)
_SYSTEM = Caller("system")


def message_event(ports: Ports, message: OutboxMessage) -> Event:
    """The event for a message as it stands now, which is not ``waiting``."""
    good = message.status in _GOOD
    told = {
        "message": message.id,
        "channel": message.channel.value,
        "about": message.about,
        "gateway": message.gateway,
        "country": message.route.get("country"),
        "attempts": message.attempts,
        # Good and with an error: an earlier try may have arrived as well.
        "repeated": True if good and message.error else None,
    }
    return make_event(
        ports,
        _SYSTEM,
        ports.clock.now(),
        _TYPES[message.status],
        outcome="success" if good else "failure",
        user_id=message.user_id,
        application_id=message.route.get("application"),
        authentication_id=message.route.get("authentication"),
        reason=None if good else message.error,
        data={name: value for name, value in told.items() if value is not None},
    )
