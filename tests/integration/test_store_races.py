"""Many processes' stores on one database: no update lost, no deadlock, nothing half written."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection, func, select

from nightlatch.adapters.sql.changes import prepare
from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.adapters.sql.store import SqlStore, batches_of
from nightlatch.adapters.sql.tables import EVENTS, ROOTS
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.databases import (
    a_state,
    an_event,
    check_whole,
    count_one_more,
    keep_person,
    until_somebody_waits,
)
from tests.support.postgres import PostgresServer

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[list[SqlStore]]:
    """Four stores with pools of their own, as four processes would have."""
    databases = [open_database(database_url) for _ in range(4)]
    opened = [SqlStore(database) for database in databases]
    yield opened
    for store in opened:
        await store.close()
    for database in databases:
        await database.close()


@pytest.mark.requirement("T4", "H3")
async def test_of_fifty_changes_on_one_version_from_four_pools_one_is_applied(stores: list[SqlStore]) -> None:
    """The row lock and the version decide, not the process."""
    user, factor = await keep_person(stores[0], "maya")
    changes = [Change(root=user.id, expected=1, puts=(a_state(factor, counter=i),)) for i in range(50)]

    answers = await asyncio.gather(*(stores[i % 4].commit(change) for i, change in enumerate(changes)))

    assert answers.count(Outcome.APPLIED) == 1
    loaded = await stores[0].load(UserKey(user=user.id))
    assert (loaded.version, loaded.states[factor.id].counter) == (2, answers.index(Outcome.APPLIED))


async def test_two_items_of_one_root_in_one_batch_are_not_both_applied(database: Database) -> None:
    """The store never sends such a batch; if it did, the ordinal would still tell which of them was stored."""
    store = SqlStore(database)
    user, factor = await keep_person(store, "maya")
    changes = [Change(root=user.id, expected=1, puts=(a_state(factor, counter=i),)) for i in range(3)]
    fresh = [Change(root="idk_1", expected=0) for _ in range(2)]

    answers = await batches_of(database).commit([prepare(change) for change in changes])
    made = await batches_of(database).commit([prepare(change) for change in fresh])

    assert list(answers).count(Outcome.APPLIED) == 1
    loaded = await store.load(UserKey(user=user.id))
    assert (loaded.version, loaded.states[factor.id].counter) == (2, list(answers).index(Outcome.APPLIED))
    assert list(made).count(Outcome.APPLIED) == 1
    await store.close()


async def test_no_update_is_lost_between_pools(stores: list[SqlStore]) -> None:
    """Each reads, decides and commits until it is applied: the counter has moved as often as they said."""
    _, factor = await keep_person(stores[0], "maya")

    async def until_applied(store: SqlStore) -> None:
        while await count_one_more(store, "maya") is Outcome.CONFLICT:
            pass

    await asyncio.gather(*(until_applied(store) for store in stores for _ in range(10)))

    loaded = await stores[0].load(UserKey(username="maya"))
    assert (loaded.version, loaded.states[factor.id].counter) == (41, 39)


async def test_of_many_pools_that_make_one_root_one_does(stores: list[SqlStore]) -> None:
    """Batches of new roots that overlap in other orders."""
    roots = [f"idk_{i}" for i in range(40)]
    orders = [random.Random(seed).sample(roots, len(roots)) for seed in range(4)]

    answers = await asyncio.gather(
        *(
            store.commit(Change(root=root, expected=0))
            for store, order in zip(stores, orders, strict=True)
            for root in order
        )
    )

    assert answers.count(Outcome.APPLIED) == len(roots)


async def test_locks_are_taken_in_the_order_of_ids(postgres: PostgresServer, migrated_postgres_url: str) -> None:
    """Who waits for the first root holds none of the later ones, however PostgreSQL finds the rows."""
    name = migrated_postgres_url.rpartition("/")[2]
    for setting in ("enable_indexscan", "enable_bitmapscan", "enable_indexonlyscan"):
        postgres.sql(f"ALTER DATABASE {name} SET {setting} = off")  # by an index they would come sorted by chance
    database = open_database(migrated_postgres_url)
    store = SqlStore(database)
    for root in ("root_2", "root_1"):
        await store.commit(Change(root=root, expected=0))
    other = await asyncpg.connect(migrated_postgres_url)
    await other.execute("SET lock_timeout = '200ms'")  # before PostgreSQL looks for a deadlock, and ends one of us

    async with other.transaction():
        await other.execute("SELECT FROM roots WHERE id = 'root_1' FOR UPDATE")
        moving = [asyncio.create_task(store.commit(Change(root=root, expected=1))) for root in ("root_2", "root_1")]
        await until_somebody_waits(other)
        await other.execute("SELECT FROM roots WHERE id = 'root_2' FOR UPDATE")
    assert await asyncio.gather(*moving) == [Outcome.APPLIED] * 2

    async with other.transaction():
        await other.execute("INSERT INTO roots VALUES ('root_3', 1)")
        making = [asyncio.create_task(store.commit(Change(root=root, expected=0))) for root in ("root_4", "root_3")]
        await until_somebody_waits(other)
        await other.execute("INSERT INTO roots VALUES ('root_4', 1)")
    assert await asyncio.gather(*making) == [Outcome.CONFLICT] * 2

    await other.close()
    await store.close()
    await database.close()


async def test_overlapping_batches_never_deadlock(postgres: PostgresServer, migrated_postgres_url: str) -> None:
    """PostgreSQL counts deadlocks itself, also those that a repeat would hide."""
    name = migrated_postgres_url.rpartition("/")[2]
    databases = [open_database(migrated_postgres_url) for _ in range(4)]
    stores = [SqlStore(database) for database in databases]
    people = [await keep_person(stores[0], f"user{i}") for i in range(24)]

    async def work(store: SqlStore, seed: int) -> int:
        order = random.Random(seed)
        applied = 0
        for _ in range(25):
            some = order.sample(people, 16)
            loaded = await asyncio.gather(*(store.load(UserKey(user=user.id)) for user, _ in some))
            changes = [
                Change(root=user.id, expected=seen.version, puts=(a_state(factor),), events=(an_event(user),))
                for (user, factor), seen in zip(some, loaded, strict=True)
            ]
            answers = await asyncio.gather(*(store.commit(change) for change in changes))
            applied += answers.count(Outcome.APPLIED)
        return applied

    applied = sum(await asyncio.gather(*(work(store, seed) for seed, store in enumerate(stores))))

    def kept(connection: Connection) -> tuple[int, int]:
        versions = connection.execute(select(func.sum(ROOTS.c.version))).scalar_one()
        return int(versions) - len(people), connection.execute(
            select(func.count()).select_from(EVENTS.table)
        ).scalar_one()

    assert await databases[0].read(kept) == (applied, applied)
    for store, database in zip(stores, databases, strict=True):
        await store.close()
        await database.close()
    count = "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = '{}'"
    assert postgres.sql(count.format(name)).rpartition("|")[2] == "0"


def start_writer(url: str, *names: str) -> subprocess.Popen[str]:
    """A process that counts for these people until it is killed, and prints a line for every change applied."""
    return subprocess.Popen([sys.executable, WRITER, url, *names], stdout=subprocess.PIPE, text=True)


def lines_of(writer: subprocess.Popen[str]) -> list[str]:
    """What it printed and ended."""
    assert writer.stdout is not None
    return [line.strip() for line in writer.stdout if line.endswith("\n")]


@pytest.mark.requirement("G1", "T4")
async def test_a_writer_killed_in_the_middle_leaves_nothing_half_written(database: Database, database_url: str) -> None:
    """kill -9 under load: every change it was told of is there, whole, and no other is there in part."""
    store = SqlStore(database)
    names = [f"user{i}" for i in range(8)]
    for name in names:
        await keep_person(store, name)
    await store.close()
    told = 0
    for _ in range(3):
        writer = start_writer(database_url, *names)
        assert writer.stdout is not None
        for _ in range(50):
            assert await asyncio.to_thread(writer.stdout.readline)
        writer.kill()
        told += 50 + len(await asyncio.to_thread(lines_of, writer))
        writer.wait()

    _, events = await database.read(check_whole)

    assert told <= events <= told + 3 * 64


@pytest.mark.requirement("H3")
async def test_two_processes_write_one_database_at_once(database: Database, database_url: str) -> None:
    """A command line beside the running server: both write, none is lost, none waits for ever."""
    store = SqlStore(database)
    names = [f"user{i}" for i in range(4)]
    for name in names:
        await keep_person(store, name)
    writers = [start_writer(database_url, *names) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        assert await asyncio.to_thread(writer.stdout.readline)
    ours = 0
    while ours < 100:
        ours += await count_one_more(store, random.choice(names)) is Outcome.APPLIED
    for writer in writers:  # who holds the file again and again may keep the others from it for a while, and no longer
        assert writer.stdout is not None
        assert await asyncio.to_thread(writer.stdout.readline)
        writer.kill()
    theirs = [len(await asyncio.to_thread(lines_of, writer)) for writer in writers]
    for writer in writers:
        writer.wait()
    await store.close()

    _, events = await database.read(check_whole)

    told = ours + sum(theirs) + 2 * 2
    assert told <= events <= told + 2 * 64
