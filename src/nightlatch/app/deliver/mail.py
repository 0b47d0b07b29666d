"""The handler of mails."""

from __future__ import annotations

from typing import Any

from nightlatch.app.deliver.dispatch import Sent
from nightlatch.domain.records import OutboxMessage
from nightlatch.ports.delivery import Mail, MailTransport

GATEWAY = "mail"


class MailHandler:
    """See ``dispatch.Handler``. ``Mail.id`` is the message's, the same at every repeat."""

    def __init__(self, transport: MailTransport) -> None:
        self._transport = transport

    async def __call__(self, message: OutboxMessage, payload: dict[str, Any]) -> Sent:
        """Hand a mail to the mail server. Raises ``NotSent``."""
        accepted = await self._transport.send(Mail(id=message.id, **payload))
        return Sent(gateway=GATEWAY, reference=accepted.reference)
