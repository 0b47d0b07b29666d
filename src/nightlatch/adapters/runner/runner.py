"""Takes pieces of work and does many of them side by side."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from nightlatch.domain.errors import Unavailable
from nightlatch.domain.time import SECOND
from nightlatch.ports.ephemeral import LocalWakeUps

Piece = TypeVar("Piece")

WIDTH = 64
LOOK_EVERY = SECOND
"""What other processes left behind, and what comes due, is found this late at most."""

WITHIN = 25 * SECOND
GRACE = 10 * SECOND

_log = logging.getLogger("nightlatch.background")


class Runner(Generic[Piece]):
    """Never has more than ``width`` pieces under way, and takes no more than it can begin at once.

    ``take`` is asked when ``key`` is woken, when there is room again, and every second. What ``do`` raises harms no
    other piece; the log tells its kind and place and no more, for its text may hold what was to be sent.
    """

    def __init__(
        self,
        name: str,
        take: Callable[[int], Awaitable[Sequence[Piece]]],
        do: Callable[[Piece], Awaitable[None]],
        *,
        wakeups: LocalWakeUps,
        key: str,
        width: int = WIDTH,
    ) -> None:
        self._name = name
        self._take = take
        self._do = do
        self._wakeups = wakeups
        self._key = key
        self._width = width
        self._room = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Work until ``stop``, on this event loop."""
        if self._task is not None:
            raise RuntimeError(f"{self._name} runs already")
        self._stopping = False
        self._task = asyncio.create_task(self._loop(), name=self._name)

    async def stop(self) -> None:
        """Take no more, and finish what is under way, if it ends in ten seconds."""
        self._stopping = True
        self._wakeups.wake(self._key)
        if self._task is not None:
            await self._task
            self._task = None
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=GRACE / SECOND)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _loop(self) -> None:
        async with self._wakeups.subscribe(self._key) as changed:
            while not self._stopping:
                asked = self._width - len(self._running)
                taken = await self._attempt(asked)
                for piece in taken:
                    self._begin(piece)
                if len(taken) < asked:
                    await changed.wait(LOOK_EVERY)
                elif len(self._running) == self._width:
                    # Until half is free, so that as much can be taken at once.
                    self._room.clear()
                    await self._room.wait()

    async def _attempt(self, limit: int) -> Sequence[Piece]:
        if limit <= 0:
            return ()
        try:
            return await self._take(limit)
        except Unavailable:
            _log.warning("%s: the database does not answer", self._name)
        except Exception:  # noqa: BLE001 (told in the log, and tried again)
            _log.exception("%s failed", self._name)
        return ()

    def _begin(self, piece: Piece) -> None:
        task = asyncio.create_task(self._guarded(piece))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if len(self._running) <= self._width // 2:
            self._room.set()

    async def _guarded(self, piece: Piece) -> None:
        try:
            async with asyncio.timeout(WITHIN / SECOND):
                await self._do(piece)
        except Exception as error:  # noqa: BLE001 (told in the log; the piece comes up again)
            _log.error("%s: %s at %s", self._name, type(error).__name__, _place(error))


def _place(error: BaseException) -> str:
    """The file and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
