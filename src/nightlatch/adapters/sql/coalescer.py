"""Many callers, one statement: a batch forms while the one before it runs. Nobody is delayed to fill one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from nightlatch.domain.errors import Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Run = Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]]

PATIENCE = 5.0
"""Seconds in the queue, which is empty in milliseconds when the database answers."""


class _Waiting(Generic[Item, Answer]):
    __slots__ = ("answer", "item", "key", "since")

    def __init__(self, item: Item, key: str | None, loop: asyncio.AbstractEventLoop) -> None:
        self.item = item
        self.key = key
        self.answer: asyncio.Future[Answer] = loop.create_future()
        self.since = loop.time()


class Coalescer(Generic[Item, Answer]):
    """Runs items in batches of at most ``limit``, at most ``lanes`` batches at once, the further ones when full.

    ``run`` answers each item by its place: a value, or the exception that is this item's alone; what it raises is
    everybody's. Of items that share a key (``key_of``), one is on its way and the others wait their turn.
    A caller that is cancelled while it waits takes nothing from the others. Who has waited for ``PATIENCE`` is told
    ``Unavailable`` and not sent any more: behind a database that hangs, each would wait for all those before it.
    """

    def __init__(
        self,
        run: Run[Item, Answer],
        *,
        limit: int,
        lanes: int,
        key_of: Callable[[Item], str] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._run = run
        self._limit = limit
        self._lanes = lanes
        self._key_of = key_of
        self._patience = patience
        self._ready: deque[_Waiting[Item, Answer]] = deque()
        self._behind: dict[str, deque[_Waiting[Item, Answer]]] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def submit(self, item: Item) -> Answer:
        """Run the item in some batch, and return its own answer."""
        if self._closed:
            raise Unavailable("The store is closed.")
        key = self._key_of(item) if self._key_of else None
        waiting: _Waiting[Item, Answer] = _Waiting(item, key, asyncio.get_running_loop())
        if key is not None and key in self._behind:
            self._behind[key].append(waiting)
        else:
            self._admit(waiting)
        return await waiting.answer

    async def close(self) -> None:
        """Take no more, and wait until everything taken has its answer."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _admit(self, waiting: _Waiting[Item, Answer]) -> None:
        if waiting.key is not None:
            self._behind[waiting.key] = deque()
        self._ready.append(waiting)
        # One more lane only for a whole batch: else it would split the next one, and each statement has its own cost.
        if self._running == 0 or (self._running < self._lanes and len(self._ready) >= self._limit):
            self._running += 1
            # It starts when this turn of the loop is over, so all who came in this turn share its first batch.
            task = asyncio.create_task(self._lane())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _lane(self) -> None:
        try:
            while batch := self._next_batch():
                await self._answer(batch)
        finally:
            self._running -= 1  # in the same step as the last look, so that nothing is left behind

    async def _answer(self, batch: list[_Waiting[Item, Answer]]) -> None:
        try:
            answers = await self._run([waiting.item for waiting in batch])
            for waiting, answer in zip(batch, answers, strict=True):
                _settle(waiting, answer)
        except Exception as error:  # noqa: BLE001 (handed to every waiting caller, which raises it)
            for waiting in batch:
                _settle(waiting, error)
        finally:
            for waiting in batch:
                if not waiting.answer.done():  # cancelled with the loop: nobody may wait for ever
                    waiting.answer.set_exception(Unavailable())
                self._release(waiting)

    def _next_batch(self) -> list[_Waiting[Item, Answer]]:
        batch: list[_Waiting[Item, Answer]] = []
        patient = asyncio.get_running_loop().time() - self._patience
        while self._ready and len(batch) < self._limit:
            waiting = self._ready.popleft()
            if waiting.since < patient and not waiting.answer.done():
                waiting.answer.set_exception(Unavailable())
            if waiting.answer.done():
                self._release(waiting)  # its caller left, or was told, before it was sent
            else:
                batch.append(waiting)
        return batch

    def _release(self, waiting: _Waiting[Item, Answer]) -> None:
        """Let the next one with this key go."""
        if waiting.key is None:
            return
        behind = self._behind[waiting.key]
        if behind:
            self._ready.append(behind.popleft())
        else:
            del self._behind[waiting.key]


def _settle(waiting: _Waiting[Item, Answer], answer: Answer | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(answer, Exception):
        waiting.answer.set_exception(answer)
    else:
        waiting.answer.set_result(answer)
