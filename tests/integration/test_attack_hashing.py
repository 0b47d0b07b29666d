"""Guesses that have the form of backup codes cost a slow hash each: somebody sends them to make everybody wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from nightlatch.adapters.keys.argon2 import WAITING, Argon2Hasher
from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.context import Caller
from nightlatch.app.messages import ContextIn, NewAuthentication, NewVerification, OneShot
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.portal.prove import prove
from nightlatch.app.portal.session import redeem_link
from nightlatch.app.verify import verify
from nightlatch.domain.errors import Conflict, Throttled
from nightlatch.ports.keys import SlowHasher
from tests.support.ports import World

CROWD = 40
GUESS = "3ABC-DEFG-HJKM-NPQR"
HERE = ContextIn(ip="192.0.2.1")


@dataclass
class Counting:
    """The real hasher, counted."""

    hasher: SlowHasher
    hashes: int = 0

    async def hash(self, text: str) -> str:
        """As the hasher does."""
        self.hashes += 1
        return await self.hasher.hash(text)

    async def verify(self, hashed: str, text: str) -> bool:
        """As the hasher does."""
        self.hashes += 1
        return await self.hasher.verify(hashed, text)

    async def dummy(self) -> None:
        """As the hasher does."""
        self.hashes += 1
        await self.hasher.dummy()


@pytest.fixture
async def bank(world: World) -> Caller:
    """An application with a user, Maya."""
    caller = await world.application()
    await world.person(caller)
    return caller


async def paid(world: World, work: Awaitable[Any]) -> int:
    """How many hashes some work cost."""
    hasher = world.ports.hasher
    assert isinstance(hasher, Counting)
    before = hasher.hashes
    await work
    return hasher.hashes - before


def counted(world: World) -> None:
    """From now on hashes are counted."""
    world.ports = replace(world.ports, hasher=Counting(world.ports.hasher))


@pytest.mark.requirement("H3", "L1")
async def test_a_crowd_of_guesses_hashes_no_more_than_are_judged(world: World, bank: Caller) -> None:
    """Who decides on a version that another one is about to change need not hash for nothing."""
    await world.activated(bank, "maya")
    counted(world)
    guess = OneShot(user="maya", code=GUESS, context=HERE)
    told = await asyncio.gather(*(verify(world.ports, bank, guess) for _ in range(CROWD)))
    judged = sum(one.reason == "wrong_code" for one in told)
    assert isinstance(world.ports.hasher, Counting)
    assert 1 <= judged <= 5
    assert world.ports.hasher.hashes == judged


@pytest.mark.requirement("H3")
async def test_a_sign_in_takes_five_guesses_also_where_there_is_nothing_to_guess(world: World, bank: Caller) -> None:
    """Each costs a hash, so that nobody learns who has codes; so each counts."""
    begun = await authenticate(world.ports, bank, NewAuthentication(user="maya", context=HERE))
    counted(world)

    async def guess() -> str | None:
        return (await answer(world.ports, bank, begun.id, NewVerification(code=GUESS))).reason

    assert [await guess() for _ in range(5)] == ["no_such_factor"] * 5
    with pytest.raises(Conflict, match="already_rejected"):
        await guess()
    assert isinstance(world.ports.hasher, Counting)
    assert world.ports.hasher.hashes == 5


async def test_a_factor_that_is_named_and_not_there_costs_nothing(world: World, bank: Caller) -> None:
    """Who has none, and who has others, cost the same: no hash. A browser always names one."""
    counted(world)
    link = await new_portal_link(world.ports, bank, "maya")
    token = await redeem_link(world.ports, link.url.partition("ticket=")[2], "192.0.2.1")
    for name in ("", "fac_" + "0" * 32):
        assert await paid(world, prove(world.ports, token, factor_id=name, code=GUESS, peer="192.0.2.1")) == 0
        assert (
            await paid(world, verify(world.ports, bank, OneShot(user="maya", code=GUESS, context=HERE, factor=name)))
            == 0
        )


async def test_a_queue_of_hashes_has_an_end() -> None:
    """Who comes when it is full is told to wait, at once."""
    hasher = Argon2Hasher(1)
    go = threading.Event()
    hasher._pool.submit(go.wait)
    try:
        waiting = [asyncio.ensure_future(hasher.verify("no hash", "x")) for _ in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Throttled):
            await hasher.dummy()
        go.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        await hasher.dummy()
    finally:
        go.set()
        hasher.close()
