"""The demo's phone: texts arrive in the memory of the one process that the demo has, and its page shows them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from nightlatch.ports.delivery import Accepted, Text
from nightlatch.ports.world import Clock

LAST = 50


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A text on the demo's phone, as its owner sees it."""

    id: str
    at: int
    to: str
    text: str

    def __repr__(self) -> str:
        """Without number and code (K3)."""
        return f"Arrived(id={self.id!r})"


class DemoGateway:
    """See ``ports.delivery.SmsGateway``. A repeat of one message is shown once."""

    def __init__(self, clock: Clock, name: str = "demo") -> None:
        self.name = name
        self._clock = clock
        self._arrived: deque[Arrived] = deque(maxlen=LAST)

    def texts(self, to: str | None = None) -> Sequence[Arrived]:
        """The last texts, newest first; those to one number where it is named."""
        return [text for text in reversed(self._arrived) if to is None or text.to == to]

    async def send(self, text: Text) -> Accepted:
        """Show it."""
        if all(text.id != known.id for known in self._arrived):
            self._arrived.append(Arrived(id=text.id, at=self._clock.now(), to=text.to, text=text.text))
        return Accepted(reference=text.id)

    async def healthy(self) -> bool:
        """Always."""
        return True

    async def close(self) -> None:
        """Nothing is open."""
