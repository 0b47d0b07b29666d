"""The contract of ``Ephemeral``, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from nightlatch.adapters.memory.ephemeral import MemoryEphemeral
from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.ephemeral import SqlEphemeral
from nightlatch.adapters.valkey.client import open_valkey
from nightlatch.adapters.valkey.ephemeral import ValkeyEphemeral
from nightlatch.domain.errors import Invalid, Unavailable
from nightlatch.domain.time import HOUR, SECOND
from nightlatch.ports.ephemeral import Ephemeral
from tests.support.ports import SetClock
from tests.support.valkey import start as start_valkey

TTL = 2 * SECOND
"""Real time with Valkey, and a busy machine takes its time between two calls."""


@dataclass
class Kept:
    """An adapter, and how its time passes."""

    ephemeral: Ephemeral
    pass_time: Callable[[int], Awaitable[None]]


@pytest.fixture(params=["memory", "sqlite", "postgresql", "valkey"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Each adapter in turn. Valkey counts the time itself, so there it really passes."""
    clock = SetClock()

    async def advance(duration: int) -> None:
        clock.advance(duration)

    if request.param == "memory":
        yield Kept(MemoryEphemeral(clock), advance)
    elif request.param == "valkey":
        client = open_valkey(request.getfixturevalue("valkey_url"))
        yield Kept(ValkeyEphemeral(client), lambda duration: asyncio.sleep(duration / SECOND))
        await client.aclose()
    else:
        url = {"sqlite": "sqlite_url", "postgresql": "migrated_postgres_url"}[request.param]
        database = open_database(request.getfixturevalue(url))
        yield Kept(SqlEphemeral(database, clock), advance)
        await database.close()


async def test_a_value_is_taken_once(kept: Kept) -> None:
    """Put, replaced, taken, gone."""
    await kept.ephemeral.put("a", b"1", ttl=HOUR)
    await kept.ephemeral.put("a", b"\0\xff", ttl=HOUR)
    assert await kept.ephemeral.take("a") == b"\0\xff"
    assert await kept.ephemeral.take("a") is None


async def test_of_many_takers_one_gets_the_value(kept: Kept) -> None:
    """Twenty at once."""
    await kept.ephemeral.put("a", b"1", ttl=HOUR)
    taken = await asyncio.gather(*(kept.ephemeral.take("a") for _ in range(20)))
    assert sorted(each or b"" for each in taken) == [b""] * 19 + [b"1"]


async def test_of_many_who_add_one_does(kept: Kept) -> None:
    """And the value is that one's."""
    added = await asyncio.gather(*(kept.ephemeral.add_if_absent("a", b"%d" % i, ttl=HOUR) for i in range(20)))
    assert added.count(True) == 1
    assert await kept.ephemeral.take("a") == b"%d" % added.index(True)


async def test_each_of_a_crowd_that_adds_has_its_own_answer(kept: Kept) -> None:
    """Whether its key was free, had expired, was there, or came twice."""
    await kept.ephemeral.put("old", b"1", ttl=TTL)
    await kept.pass_time(TTL + SECOND // 5)
    await kept.ephemeral.put("there", b"1", ttl=HOUR)
    await kept.ephemeral.increment("number", ttl=HOUR)
    keys = ["old", "there", "there", *(f"free {i}" for i in range(200)), "free 7", "old"]
    added = await asyncio.gather(*(kept.ephemeral.add_if_absent(key, key.encode(), ttl=HOUR) for key in keys))
    answers = {key: sorted(done for name, done in zip(keys, added, strict=True) if name == key) for key in keys}
    free = {f"free {i}": [True] for i in range(200)}
    # Of two who add the same key at once either may be the first.
    assert answers == free | {"old": [False, True], "there": [False, False], "free 7": [False, True]}
    assert [await kept.ephemeral.take(key) for key in ("old", "there", "free 7")] == [b"old", b"1", b"free 7"]


async def test_no_increment_is_lost(kept: Kept) -> None:
    """Fifty at once, in different steps."""
    sums = await asyncio.gather(*(kept.ephemeral.increment("n", by=1 + i % 2, ttl=HOUR) for i in range(50)))
    assert max(sums) == 75
    assert len(set(sums)) == 50
    assert await kept.ephemeral.increment("other", ttl=HOUR) == 1


async def test_values_expire(kept: Kept) -> None:
    """An expired value is as good as none: it is not taken, and another may be added."""
    await kept.ephemeral.put("a", b"1", ttl=TTL)
    await kept.ephemeral.put("b", b"1", ttl=TTL)
    assert not await kept.ephemeral.add_if_absent("b", b"2", ttl=HOUR)
    await kept.pass_time(TTL + SECOND // 5)
    assert await kept.ephemeral.take("a") is None
    assert await kept.ephemeral.add_if_absent("b", b"2", ttl=HOUR)
    assert await kept.ephemeral.take("b") == b"2"


async def test_the_first_increment_sets_the_end(kept: Kept) -> None:
    """Later ones do not push it on: a window that ever begins anew would never open."""
    assert await kept.ephemeral.increment("n", ttl=TTL) == 1
    await kept.pass_time(TTL // 2)
    assert await kept.ephemeral.increment("n", ttl=HOUR) == 2
    await kept.pass_time(TTL)
    assert await kept.ephemeral.increment("n", ttl=HOUR) == 1


async def test_an_increment_by_nothing_reads(kept: Kept) -> None:
    """Of what is not there it is nothing; a window begins with it."""
    assert await kept.ephemeral.increment("n", by=0, ttl=TTL) == 0
    assert await kept.ephemeral.increment("n", ttl=HOUR) == 1
    assert await kept.ephemeral.increment("n", by=0, ttl=HOUR) == 1
    await kept.pass_time(TTL + SECOND // 5)
    assert await kept.ephemeral.increment("n", by=0, ttl=HOUR) == 0


@pytest.mark.parametrize("url", ["sqlite_url", "migrated_postgres_url"])
async def test_a_key_that_no_database_keeps_is_its_callers_alone(request: pytest.FixtureRequest, url: str) -> None:
    """Those who share its statement are not refused with it."""
    database = open_database(request.getfixturevalue(url))
    ephemeral = SqlEphemeral(database, SetClock())
    calls = (ephemeral.add_if_absent(key, b"", ttl=HOUR) for key in ("good", "bad \0", "fine"))
    good, bad, fine = await asyncio.gather(*calls, return_exceptions=True)
    assert (good, type(bad), fine) == (True, Invalid, True)
    await ephemeral.close()
    await database.close()


@pytest.mark.requirement("G3")
async def test_a_valkey_that_is_down_is_unavailable() -> None:
    """Never a yes, and never a wait without end."""
    server = start_valkey()
    client = open_valkey(server.url)
    ephemeral = ValkeyEphemeral(client)
    assert await ephemeral.increment("n", ttl=HOUR) == 1
    server.stop()
    for call in (
        ephemeral.put("a", b"", ttl=HOUR),
        ephemeral.add_if_absent("a", b"", ttl=HOUR),
        ephemeral.take("a"),
        ephemeral.increment("n", ttl=HOUR),
    ):
        with pytest.raises(Unavailable):
            await call
    await client.aclose()
