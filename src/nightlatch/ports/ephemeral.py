"""Advisory short-lived state, and wake-ups. Losing either never grants anything."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Ephemeral(Protocol):
    """Values with a time to live (µs). The first ``increment``, also one by 0, sets it; later ones keep it."""

    async def put(self, key: str, value: bytes, *, ttl: int) -> None: ...

    async def add_if_absent(self, key: str, value: bytes, *, ttl: int) -> bool: ...

    async def take(self, key: str) -> bytes | None:
        """Return and remove, atomically: of many takers one gets the value."""
        ...

    async def increment(self, key: str, *, by: int = 1, ttl: int) -> int: ...


class Subscription(Protocol):
    """A place to wait for one key, from the moment that ``subscribe`` was entered."""

    async def wait(self, timeout: int) -> bool:
        """Wait at most ``timeout`` µs; True when woken since the last wait (or the subscription).

        Holds no database connection.
        """
        ...


class WakeUps(Protocol):
    """A hint that something changed.

    ``async with wake_ups.subscribe(key) as changed:`` first, then read, then ``changed.wait``; read
    again on wake and on time-out. Reading before subscribing would miss what happens between.
    """

    async def notify(self, key: str) -> None: ...

    def subscribe(self, key: str) -> AbstractAsyncContextManager[Subscription]: ...


class LocalWakeUps(WakeUps, Protocol):
    """Wake-ups of this process alone, which those of many processes feed."""

    def wake(self, key: str) -> None: ...

    def wake_all(self) -> None:
        """After a lost connection nobody knows what was missed: everybody reads again."""
        ...
