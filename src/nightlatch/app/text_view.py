"""How a text stands, for the page on which its code is typed. Reading changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from nightlatch.app.context import Ports
from nightlatch.app.deliver.messages import not_sent, stand
from nightlatch.domain.factors.sms import MOST_SENDS, SentCode
from nightlatch.domain.records import MessageStatus


@dataclass(frozen=True, slots=True)
class TextView:
    """The newest text. ``failed``: no gateway took it, as far as is known; ``sent``: one did. Instants in µs;
    ``resend_at`` None: there will be no other.
    """

    expires_at: int
    resend_at: int | None
    failed: bool
    sent: bool


async def view_text(ports: Ports, code: SentCode | None) -> TextView | None:
    """How the text of a code stands; None where none was sent, or its code is too old."""
    if code is None or not code.sent_at <= ports.clock.now() < code.expires_at:
        return None
    message = await stand(ports, code.message)
    return TextView(
        expires_at=code.expires_at,
        resend_at=code.resend_after if code.sends < MOST_SENDS else None,
        failed=message is None or not_sent(message),
        sent=message is not None and message.status in (MessageStatus.SENT, MessageStatus.DELIVERED),
    )
