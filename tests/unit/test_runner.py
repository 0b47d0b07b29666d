"""The runner: how many at once, how soon, and what one that fails does to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from nightlatch.adapters.memory.wakeups import InProcessWakeUps
from nightlatch.adapters.runner import Runner, runner
from nightlatch.domain.errors import Unavailable
from nightlatch.domain.time import SECOND

WAKE = "queue"


class Queue:
    """Numbers that wait, and what was done with them."""

    def __init__(self, *pieces: int) -> None:
        self.waiting = list(pieces)
        self.wakeups = InProcessWakeUps()
        self.asked: list[int] = []
        self.done: list[int] = []
        self.under_way = 0
        self.most = 0
        self.failure: Exception | None = None

    def add(self, *pieces: int) -> None:
        """More of them, and say so."""
        self.waiting += pieces
        self.wakeups.wake(WAKE)

    async def take(self, limit: int) -> Sequence[int]:
        """The first of them."""
        self.asked.append(limit)
        if self.failure is not None:
            raise self.failure
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    async def do(self, piece: int) -> None:
        """Take a moment over it."""
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.002)
        self.under_way -= 1
        self.done.append(piece)

    def runner(self, width: int = 8, do: Callable[[int], Awaitable[None]] | None = None) -> Runner[int]:
        """Started."""
        started = Runner("test", self.take, do or self.do, wakeups=self.wakeups, key=WAKE, width=width)
        started.start()
        return started

    async def until_done(self, count: int) -> None:
        """Wait until so many are."""
        async with asyncio.timeout(10):
            while len(self.done) < count:  # noqa: ASYNC110 (another task counts)
                await asyncio.sleep(0.001)


async def test_all_are_done_and_never_too_many_at_once() -> None:
    """As many as fit, and no more are taken than can be begun."""
    queue = Queue(*range(100))
    running = queue.runner()
    await queue.until_done(100)
    await running.stop()
    assert sorted(queue.done) == list(range(100))
    assert queue.most == 8
    assert max(queue.asked) == 8
    assert min(queue.asked) >= 4


async def test_a_wake_is_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before the next look."""
    monkeypatch.setattr(runner, "LOOK_EVERY", 60 * SECOND)
    queue = Queue()
    running = queue.runner()
    await asyncio.sleep(0.01)
    queue.add(1)
    await queue.until_done(1)
    queue.add(2)
    await queue.until_done(2)
    await running.stop()


async def test_without_a_wake_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what others left, and what came due."""
    monkeypatch.setattr(runner, "LOOK_EVERY", SECOND // 100)
    queue = Queue()
    running = queue.runner()
    await asyncio.sleep(0.01)
    queue.waiting.append(1)
    await queue.until_done(1)
    await running.stop()


@pytest.mark.requirement("K3")
async def test_one_that_fails_harms_no_other_and_is_told_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """Its kind and place stand in the log, and what it said does not."""
    queue = Queue(*range(20))

    async def do(piece: int) -> None:
        if piece % 3 == 0:
            raise ValueError("code 123456")
        await queue.do(piece)

    running = queue.runner(do=do)
    await queue.until_done(13)
    await running.stop()
    assert sorted(queue.done) == [piece for piece in range(20) if piece % 3]
    assert "ValueError" in caplog.text
    assert "test_runner.py" in caplog.text
    assert "123456" not in caplog.text


async def test_it_goes_on_when_nothing_can_be_taken_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database was away, or worse."""
    monkeypatch.setattr(runner, "LOOK_EVERY", SECOND // 100)
    for failure in (Unavailable(), RuntimeError("odd")):
        queue = Queue(1)
        queue.failure = failure
        running = queue.runner()
        await asyncio.sleep(0.05)
        assert len(queue.asked) > 1
        queue.failure = None
        await queue.until_done(1)
        await running.stop()


async def test_what_is_under_way_is_finished_at_the_end() -> None:
    """And nothing more is taken."""
    queue = Queue(*range(8))
    running = queue.runner(width=4)
    while queue.under_way < 4:  # noqa: ASYNC110 (another task counts)
        await asyncio.sleep(0)
    await running.stop()
    assert sorted(queue.done) == [0, 1, 2, 3]
    assert queue.waiting == [4, 5, 6, 7]


async def test_what_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """By itself after its time; at the end after ten seconds, shortened here."""
    monkeypatch.setattr(runner, "WITHIN", SECOND // 100)
    queue = Queue(1)
    hangs = queue.runner(do=lambda _: asyncio.sleep(3600))
    await asyncio.sleep(0.05)
    assert "TimeoutError" in caplog.text
    await hangs.stop()

    monkeypatch.setattr(runner, "WITHIN", 3600 * SECOND)
    monkeypatch.setattr(runner, "GRACE", SECOND // 100)
    queue = Queue(1)
    hangs = queue.runner(do=lambda _: asyncio.sleep(3600))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        await hangs.stop()
