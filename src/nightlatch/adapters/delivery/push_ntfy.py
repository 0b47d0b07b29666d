"""ntfy ("Publishing") and UnifiedPush endpoints like it: a server of the operator's own choice, often their own.

ntfy reads what it passes on, unlike Web Push. The message says only that somebody signs in.
"""

from __future__ import annotations

from collections.abc import Sequence

from nightlatch.adapters.delivery.http import HttpSender
from nightlatch.domain.ntfy import is_topic
from nightlatch.ports.delivery import Accepted, NotSent, PushMessage

_GONE = (404, 410)
_BUSY = (429, 500, 502, 503, 504)


class Ntfy:
    """See ``ports.delivery.PushTransport``. Only these servers are written to, and there only topics, which phones name.

    With the operator's token, any other path would do there what the phone's owner may not.
    """

    def __init__(self, servers: Sequence[str], *, token: str | None = None) -> None:
        self._servers = tuple(servers)
        self._token = token
        self._http = HttpSender()

    async def send(self, message: PushMessage) -> Accepted:
        """Raises ``NotSent``."""
        topic = message.subscription
        if not isinstance(topic, str) or not is_topic(topic, self._servers):
            raise NotSent("unknown_push_service", permanent=True, gone=True)
        shown = message.content["notification"]
        headers = {
            "Title": _header(shown["title"]),
            "Click": _header(shown["navigate"]),
            "Priority": "high",
            "Content-Type": "text/plain; charset=utf-8",
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        answer = await self._http.post(topic, content=str(shown["body"]).encode(), headers=headers)
        if answer.status in _GONE:
            raise NotSent("subscription_gone", permanent=True, gone=True)
        if not answer.good:
            raise NotSent(f"ntfy_{answer.status}", permanent=answer.status not in _BUSY)
        said = answer.json()
        reference = said.get("id") if isinstance(said, dict) else None
        return Accepted(reference=reference if isinstance(reference, str) else None)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()


def _header(text: str) -> str:
    """A header's value: one line, in the encoded words that ntfy reads where it is not ASCII (RFC 2047)."""
    from email.header import Header

    line = " ".join(text.split())
    return line if line.isascii() else Header(line, "utf-8", maxlinelen=10_000).encode()
