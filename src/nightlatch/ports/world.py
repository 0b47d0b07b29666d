"""The clock and the dice."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The server's clock; no other counts (T10)."""

    def now(self) -> int:
        """The instant, in µs since the epoch, UTC."""
        ...


class Entropy(Protocol):
    """A cryptographically secure source."""

    def bytes(self, count: int) -> bytes: ...
