"""Advisory short-lived state, and wake-ups. Losing either never grants anything."""

from __future__ import annotations

from typing import Protocol


class Ephemeral(Protocol):
    """Values with a time to live (µs). The first ``increment`` sets it; later ones keep it."""

    async def put(self, key: str, value: bytes, *, ttl: int) -> None: ...

    async def add_if_absent(self, key: str, value: bytes, *, ttl: int) -> bool: ...

    async def take(self, key: str) -> bytes | None:
        """Return and remove, atomically: of many takers one gets the value."""
        ...

    async def increment(self, key: str, *, by: int = 1, ttl: int) -> int: ...


class WakeUps(Protocol):
    """A hint that something changed. Subscribe, then read; read again on wake and on time-out."""

    async def notify(self, key: str) -> None: ...

    async def wait(self, key: str, timeout: int) -> bool:
        """Wait at most ``timeout`` µs; True when woken. Holds no database connection."""
        ...
