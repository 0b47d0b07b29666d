"""The contract of ``WakeUps``, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from nightlatch.adapters.memory.wakeups import InProcessWakeUps
from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.postgres import PostgresDatabase
from nightlatch.adapters.sql.wakeups import PostgresWakeUps
from nightlatch.adapters.valkey.client import open_valkey
from nightlatch.adapters.valkey.wakeups import ValkeyWakeUps
from nightlatch.domain.time import SECOND
from nightlatch.ports.ephemeral import WakeUps
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer

CROWD = 600


@dataclass
class Nodes:
    """Who waits and who notifies; the same in one process, two nodes elsewhere."""

    waiting: WakeUps
    notifying: WakeUps


@pytest.fixture(params=["memory", "postgresql", "valkey"])
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[Nodes]:
    """Each adapter in turn, listening."""
    if request.param == "memory":
        local = InProcessWakeUps()
        yield Nodes(local, local)
    elif request.param == "postgresql":
        url = request.getfixturevalue("migrated_postgres_url")
        database = open_database(url)
        assert isinstance(database, PostgresDatabase)
        both = [PostgresWakeUps(InProcessWakeUps(), database, url) for _ in range(2)]
        for node in both:
            node.start()
            await asyncio.wait_for(node.listening.wait(), 30)
        yield Nodes(*both)
        for node in both:
            await node.stop()
        await database.close()
    else:
        client = open_valkey(request.getfixturevalue("valkey_url"))
        pair = [ValkeyWakeUps(InProcessWakeUps(), client) for _ in range(2)]
        for each in pair:
            each.start()
            await asyncio.wait_for(each.listening.wait(), 30)
        yield Nodes(*pair)
        for each in pair:
            await each.stop()
        await client.aclose()


async def test_a_waiter_is_woken_by_its_key(nodes: Nodes) -> None:
    """All who wait for it, on either node, and no others."""
    async with (
        nodes.waiting.subscribe("a") as first,
        nodes.waiting.subscribe("a") as second,
        nodes.notifying.subscribe("a") as third,
        nodes.waiting.subscribe("b") as other,
    ):
        await nodes.notifying.notify("a")
        assert await asyncio.gather(*(each.wait(30 * SECOND) for each in (first, second, third))) == [True] * 3
        assert not await other.wait(SECOND // 20)


async def test_a_wake_between_subscribing_and_waiting_is_not_missed(nodes: Nodes) -> None:
    """Subscribe, read, wait: what happened while reading counts."""
    async with nodes.waiting.subscribe("a") as changed, nodes.waiting.subscribe("a") as other:
        await nodes.notifying.notify("a")
        assert await other.wait(30 * SECOND)
        assert await changed.wait(SECOND // 100)
        assert not await changed.wait(SECOND // 100)


async def test_each_of_a_crowd_is_woken(nodes: Nodes) -> None:
    """However many share a message."""
    keys = [f"key {number}" for number in range(CROWD)]
    async with AsyncExitStack() as stack:
        changed = [await stack.enter_async_context(nodes.waiting.subscribe(key)) for key in keys]
        other = await stack.enter_async_context(nodes.waiting.subscribe("other"))
        await asyncio.gather(*(nodes.notifying.notify(key) for key in (*keys, *keys)))
        assert await asyncio.gather(*(each.wait(30 * SECOND) for each in changed)) == [True] * CROWD
        assert not await other.wait(SECOND // 20)


async def test_nobody_waits_longer_than_asked(nodes: Nodes) -> None:
    """Without a wake, the time-out says so."""
    async with nodes.waiting.subscribe("a") as changed:
        assert not await changed.wait(SECOND // 20)
    await nodes.notifying.notify("a")


async def until_woken(nodes: WakeUps, notifying: WakeUps) -> None:
    """Notify until the other node hears again."""
    async with nodes.subscribe("a") as changed:
        for _ in range(300):
            await notifying.notify("a")
            if await changed.wait(SECOND // 10):
                return
    raise AssertionError("never woken again")


async def test_a_lost_connection_wakes_everybody_and_is_made_again(
    postgres: PostgresServer, migrated_postgres_url: str
) -> None:
    """What was missed meanwhile is unknown, so everybody reads again."""
    database = open_database(migrated_postgres_url)
    assert isinstance(database, PostgresDatabase)
    listener = PostgresWakeUps(InProcessWakeUps(), database, migrated_postgres_url)
    notifier = PostgresWakeUps(InProcessWakeUps(), database, migrated_postgres_url)
    listener.start()
    await asyncio.wait_for(listener.listening.wait(), 30)
    name = migrated_postgres_url.rpartition("/")[2]
    async with listener.subscribe("anything") as changed:
        await asyncio.to_thread(
            postgres.sql, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        assert await changed.wait(30 * SECOND)
    await until_woken(listener, notifier)
    await listener.stop()
    await database.close()


async def test_a_lost_valkey_connection_wakes_everybody_and_is_made_again(valkey: ValkeyServer) -> None:
    """The same with Valkey."""
    client, other = open_valkey(valkey.url), open_valkey(valkey.url)
    listener, notifier = ValkeyWakeUps(InProcessWakeUps(), client), ValkeyWakeUps(InProcessWakeUps(), other)
    listener.start()
    await asyncio.wait_for(listener.listening.wait(), 30)
    async with listener.subscribe("anything") as changed:
        await other.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert await changed.wait(30 * SECOND)
    await until_woken(listener, notifier)
    await listener.stop()
    await client.aclose()
    await other.aclose()
