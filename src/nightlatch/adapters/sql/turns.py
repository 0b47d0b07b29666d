"""First come, first served, for each root: who lost a race decides again when its turn has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nightlatch.domain.errors import Throttled

CROWD = 64
"""Who waits for one root at most: a flood on one account must not hold connections, nor hash for long."""


class Turns:
    """Queues of one process. Other processes are raced with as before: a turn saves work and decides nothing."""

    def __init__(self) -> None:
        self._queues: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def take(self, root: str) -> AsyncIterator[None]:
        """Wait for the turn, and hold it. Raises ``Throttled`` where too many wait already."""
        lock, waiting = self._queues.get(root) or (asyncio.Lock(), 0)
        if waiting >= CROWD:
            raise Throttled("Too many requests at once for the same account.", retry_after=1)
        self._queues[root] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            waiting = self._queues[root][1] - 1
            if waiting:
                self._queues[root] = (lock, waiting)
            else:
                del self._queues[root]
