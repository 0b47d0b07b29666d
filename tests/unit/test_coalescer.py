"""How many callers become one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from nightlatch.adapters.sql.coalescer import Coalescer
from nightlatch.domain.errors import Unavailable


class Recorder:
    """Answers with the item itself, after the gate opens, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.most_at_once = 0

    async def run(self, items: Sequence[str]) -> Sequence[str | Exception]:
        """Items that begin with "bad" get an exception of their own; "all" fails everybody."""
        self.batches.append(list(items))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.gate.wait()
        await asyncio.sleep(0)
        self.at_once -= 1
        if "all" in items:
            raise OSError("broken")
        return [KeyError(item) if item.startswith("bad") else item for item in items]


async def submit_all(coalescer: Coalescer[str, str], items: Sequence[str]) -> list[str | BaseException]:
    """Submit in one turn of the loop."""
    return await asyncio.gather(*(coalescer.submit(item) for item in items), return_exceptions=True)


async def test_who_comes_in_one_turn_shares_a_batch() -> None:
    """One lane starts when the turn is over."""
    recorder = Recorder()
    coalescer = Coalescer[str, str](recorder.run, limit=10, lanes=1)
    assert await submit_all(coalescer, list("abc")) == list("abc")
    assert recorder.batches == [["a", "b", "c"]]


async def test_a_batch_forms_while_another_runs() -> None:
    """Nobody waits for one to fill: alone is a batch, too."""
    recorder = Recorder()
    recorder.gate.clear()
    coalescer = Coalescer[str, str](recorder.run, limit=10, lanes=1)
    first = asyncio.create_task(coalescer.submit("a"))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(coalescer.submit(item)) for item in "bcd"]
    await asyncio.sleep(0.01)
    recorder.gate.set()
    assert await asyncio.gather(first, *others) == list("abcd")
    assert recorder.batches == [["a"], ["b", "c", "d"]]


async def test_batches_and_lanes_have_limits() -> None:
    """At most so many in one, at most so many at once."""
    recorder = Recorder()
    coalescer = Coalescer[str, str](recorder.run, limit=4, lanes=2)
    items = [str(i) for i in range(20)]
    assert await submit_all(coalescer, items) == items
    assert max(map(len, recorder.batches)) == 4
    assert recorder.most_at_once == 2


async def test_another_lane_opens_for_a_whole_batch_only() -> None:
    """Few items wait for the batch before them and go together."""
    recorder = Recorder()
    coalescer = Coalescer[str, str](recorder.run, limit=4, lanes=2)
    first = asyncio.create_task(coalescer.submit("first"))
    await asyncio.sleep(0)
    await submit_all(coalescer, ["a", "b", "c"])
    assert await first == "first"
    assert recorder.batches == [["first"], ["a", "b", "c"]]
    assert recorder.most_at_once == 1


async def test_an_item_fails_alone() -> None:
    """Its neighbours have their answers."""
    coalescer = Coalescer[str, str](Recorder().run, limit=10, lanes=1)
    answers = await submit_all(coalescer, ["a", "bad", "c"])
    assert [answers[0], answers[2]] == ["a", "c"]
    assert isinstance(answers[1], KeyError)


async def test_a_batch_that_fails_fails_all_of_it_and_no_other() -> None:
    """The next batch is untouched."""
    coalescer = Coalescer[str, str](Recorder().run, limit=2, lanes=1)
    answers = await submit_all(coalescer, ["a", "all", "c", "d"])
    assert [type(answer) for answer in answers] == [OSError, OSError, str, str]


async def test_one_item_a_key_is_on_its_way() -> None:
    """Those behind it come in their order, whatever became of it."""
    recorder = Recorder()
    coalescer = Coalescer[str, str](recorder.run, limit=10, lanes=4, key_of=lambda item: item[-1])
    items = ["1a", "bad2a", "3a", "1b", "2b"]
    answers = await submit_all(coalescer, items)
    assert [str(answer) for answer in answers] == ["1a", "'bad2a'", "3a", "1b", "2b"]
    for batch in recorder.batches:
        assert len({item[-1] for item in batch}) == len(batch)
    assert [item for batch in recorder.batches for item in batch if item.endswith("a")] == ["1a", "bad2a", "3a"]


async def test_a_caller_who_left_before_is_not_sent() -> None:
    """And whoever waits behind it goes."""
    recorder = Recorder()
    recorder.gate.clear()
    coalescer = Coalescer[str, str](recorder.run, limit=1, lanes=1, key_of=lambda item: item[-1])
    tasks = [asyncio.create_task(coalescer.submit(item)) for item in ("1a", "1b", "2b", "3b")]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.sleep(0.01)
    recorder.gate.set()
    assert await asyncio.gather(*tasks[::3]) == ["1a", "3b"]
    assert recorder.batches == [["1a"], ["3b"]]


async def test_a_caller_who_leaves_during_a_batch_takes_nothing_from_it() -> None:
    """The others have their answers."""
    recorder = Recorder()
    recorder.gate.clear()
    coalescer = Coalescer[str, str](recorder.run, limit=10, lanes=1)
    tasks = [asyncio.create_task(coalescer.submit(item)) for item in "abc"]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    recorder.gate.set()
    assert await asyncio.gather(*tasks[::2]) == ["a", "c"]


async def test_closing_finishes_what_was_taken() -> None:
    """And takes no more."""
    recorder = Recorder()
    recorder.gate.clear()
    coalescer = Coalescer[str, str](recorder.run, limit=1, lanes=1)
    tasks = [asyncio.create_task(coalescer.submit(item)) for item in "ab"]
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(coalescer.close())
    await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        await coalescer.submit("c")
    recorder.gate.set()
    await closing
    assert [task.result() for task in tasks] == ["a", "b"]


async def test_a_lane_starts_whenever_it_is_needed() -> None:
    """One after the other, with every pause between: nothing is left behind."""
    recorder = Recorder()
    coalescer = Coalescer[str, str](recorder.run, limit=2, lanes=1)

    async def come(pauses: int) -> str:
        for _ in range(pauses):
            await asyncio.sleep(0)
        return await coalescer.submit(str(pauses))

    async with asyncio.timeout(10):
        assert await asyncio.gather(*(come(i) for i in range(60))) == [str(i) for i in range(60)]
