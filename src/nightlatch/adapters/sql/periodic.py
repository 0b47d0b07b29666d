"""Work that a process does again and again beside its requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from nightlatch.domain.errors import Unavailable
from nightlatch.domain.time import SECOND

_log = logging.getLogger("nightlatch.background")


class Periodic:
    """Runs ``work`` every ``every`` µs; at once again when it did as much as one run can (``full``).

    A failure is told in the log and tried again: nothing here may end because a database was away for a while.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[int]], *, every: int, full: int) -> None:
        self._name = name
        self._work = work
        self._every = every
        self._full = full
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Run until ``stop``, on this event loop."""
        if self._task is not None:
            raise RuntimeError(f"{self._name} runs already")
        self._stopping.clear()
        self._task = asyncio.create_task(self._loop(), name=self._name)

    async def stop(self) -> None:
        """End after the run that is under way."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _loop(self) -> None:
        while not self._stopping.is_set():
            done = await self._attempt()
            if done < self._full:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._every / SECOND)

    async def _attempt(self) -> int:
        try:
            return await self._work()
        except Unavailable:
            _log.warning("%s: the database does not answer", self._name)
        except Exception:  # noqa: BLE001 (told in the log, and tried again)
            _log.exception("%s failed", self._name)
        return 0
