"""Wake-ups within one process, and the hub that those of many processes feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nightlatch.domain.time import SECOND


class _Subscription:
    """See ``ports.ephemeral.Subscription``."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    async def wait(self, timeout: int) -> bool:
        """Wait at most ``timeout`` µs."""
        try:
            await asyncio.wait_for(self.changed.wait(), timeout / SECOND)
        except TimeoutError:
            return False
        self.changed.clear()
        return True


class InProcessWakeUps:
    """See ``ports.ephemeral.LocalWakeUps``. Belongs to one event loop."""

    def __init__(self) -> None:
        self._subscribed: dict[str, set[_Subscription]] = {}

    async def notify(self, key: str) -> None:
        """Wake everybody here who subscribed to this key."""
        self.wake(key)

    @asynccontextmanager
    async def subscribe(self, key: str) -> AsyncIterator[_Subscription]:
        """From here on no wake of this key is missed."""
        subscription = _Subscription()
        self._subscribed.setdefault(key, set()).add(subscription)
        try:
            yield subscription
        finally:
            others = self._subscribed[key]
            others.discard(subscription)
            if not others:
                del self._subscribed[key]

    def wake(self, key: str) -> None:
        """Wake everybody here who subscribed to this key."""
        for subscription in self._subscribed.get(key, ()):
            subscription.changed.set()

    def wake_all(self) -> None:
        """Wake everybody here."""
        for key in self._subscribed:
            self.wake(key)
