"""Turns: one at a time for each root, in order, and a bounded crowd."""

from __future__ import annotations

import asyncio

import pytest

from nightlatch.adapters.sql.turns import CROWD, Turns
from nightlatch.domain.errors import Throttled


async def test_one_at_a_time_and_in_order() -> None:
    """Nobody overtakes; another root does not wait."""
    turns, order, inside = Turns(), [], 0

    async def go(number: int) -> None:
        nonlocal inside
        async with turns.take("usr_1"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            order.append(number)
            inside -= 1

    async with turns.take("usr_1"):
        waiting = [asyncio.create_task(go(number)) for number in range(5)]
        await asyncio.sleep(0)
        async with turns.take("usr_2"):
            assert order == []
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3, 4]


async def test_a_crowd_is_bounded_and_leaves_nothing_behind() -> None:
    """One more than may wait is refused at once; who gives up makes room."""
    turns = Turns()

    async def wait() -> None:
        async with turns.take("usr_1"):
            pass

    async with turns.take("usr_1"):
        waiting = [asyncio.create_task(wait()) for _ in range(CROWD - 1)]
        await asyncio.sleep(0)
        with pytest.raises(Throttled):
            await wait()
        waiting.pop().cancel()
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(wait()))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert turns._queues == {}
