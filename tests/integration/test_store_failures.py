"""Databases that break: every caller is told, nothing is approved, and all goes on when they are back."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.domain.errors import Unavailable
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support import postgres as postgres_support
from tests.support.databases import (
    a_user,
    an_event,
    check_whole,
    count_one_more,
    keep_person,
    until_somebody_waits,
)
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.requirement("G3")


async def test_lost_connections_leave_nothing_half_written(
    postgres: PostgresServer, migrated_postgres_url: str
) -> None:
    """Connections are cut again and again under load. Who was told "applied" is applied; the others may be."""
    database = open_database(migrated_postgres_url)
    store = SqlStore(database)
    names = [f"user{i}" for i in range(8)]
    for name in names:
        await keep_person(store, name)
    database_name = migrated_postgres_url.rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database_name}'"
    answers: list[str] = []
    done = asyncio.Event()

    async def work(name: str) -> None:
        while not done.is_set():
            try:
                answers.append((await count_one_more(store, name)).value)
            except Unavailable:
                answers.append("unavailable")

    working = [asyncio.create_task(work(name)) for name in names for _ in range(2)]
    for _ in range(8):
        await asyncio.sleep(0.15)
        await asyncio.to_thread(postgres.sql, cut)  # from another database
    done.set()
    await asyncio.gather(*working)

    async def once_more() -> Outcome:
        try:
            return await count_one_more(store, names[0])
        except Unavailable:
            answers.append("unavailable")
            raise

    # A connection that was just cut and has not told its end yet answers that the database does not.
    patient = AsyncRetrying(
        retry=retry_if_exception_type(Unavailable), wait=wait_fixed(0.05), stop=stop_after_attempt(100), reraise=True
    )
    assert await patient(once_more) is Outcome.APPLIED
    whole: tuple[dict[str, int], int] = await patient(database.read, check_whole)
    events = whole[1]
    applied = answers.count("applied") + 1
    assert answers.count("unavailable") > 0
    assert applied <= events <= applied + answers.count("unavailable")
    await store.close()
    await database.close()


async def test_a_stopped_server_is_unavailable_at_once() -> None:
    """Loads and commits alike; nobody waits."""
    server = postgres_support.start()
    url = server.url()
    database = open_database(url)
    store = SqlStore(database)
    await database.read(lambda connection: connection.execute(text("SELECT 1")).all())
    server.stop()
    async with asyncio.timeout(10):
        for _ in range(2):
            with pytest.raises(Unavailable):
                await store.load(UserKey(username="maya"))
            with pytest.raises(Unavailable):
                await store.commit(Change(root="r", expected=0))
            with pytest.raises(Unavailable):
                await database.read(lambda connection: connection.execute(text("SELECT 1")).all())
            with pytest.raises(Unavailable):
                await database.write(lambda connection: connection.execute(text("SELECT 1")).all())
    await store.close()
    await database.close()


async def test_a_server_that_hangs_is_unavailable_in_time() -> None:
    """A statement without an answer is given up, and its outcome is unknown."""
    server = postgres_support.start()
    database = open_database(server.url())
    store = SqlStore(database)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE t (n int)")))
    # Without tables it fails, and leaves open the connection that commits have of their own.
    with pytest.raises(asyncpg.UndefinedTableError):
        await store.commit(Change(root="r", expected=0))
    process = int((server.kept.folder / "pid").read_text("ascii"))
    # The postmaster goes on; it is the process that serves us that hangs.
    backends = await database.read(lambda c: c.execute(text("SELECT pid FROM pg_stat_activity")).scalars().all())
    stopped = _children(backends, process)
    try:
        for child in stopped:
            os.kill(child, signal.SIGSTOP)
        async with asyncio.timeout(40):
            with pytest.raises(Unavailable):
                await store.commit(Change(root="r", expected=0))
    finally:
        for child in stopped:
            os.kill(child, signal.SIGCONT)
    await store.close()
    await database.close()
    server.stop()


def _children(candidates: Sequence[int], parent: int) -> list[int]:
    """Those of these processes that belong to this server."""
    return [
        each
        for each in candidates
        if Path(f"/proc/{each}/stat").read_text("ascii").rsplit(")", 1)[1].split()[1] == str(parent)
    ]


async def test_the_victim_of_a_deadlock_is_repeated(migrated_postgres_url: str) -> None:
    """A shared change waits for the generation, whose holder waits for its root: PostgreSQL ends ours, we repeat it."""
    database = open_database(migrated_postgres_url)
    store = SqlStore(database)
    await store.commit(Change(root="app_1", expected=0))
    other = await asyncpg.connect(migrated_postgres_url)
    async with other.transaction():
        await other.execute("SELECT FROM generation FOR UPDATE")
        ours = asyncio.create_task(store.commit(Change(root="app_1", expected=1, shared=True)))
        await until_somebody_waits(other)
        # Who looks for a deadlock ends itself; this one never looks.
        await other.execute("SET deadlock_timeout = '10min'")
        await other.execute("SELECT FROM roots FOR UPDATE")
    assert await ours is Outcome.APPLIED
    deadlocks = "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
    for _ in range(300):
        if (await other.fetchrow(deadlocks))["deadlocks"]:
            break
        await asyncio.sleep(0.1)
    # On a busy machine the repeat may meet the same holder once more.
    assert (await other.fetchrow(deadlocks))["deadlocks"] >= 1
    await other.close()
    await store.close()
    await database.close()


async def test_a_locked_sqlite_file_is_unavailable_and_then_not(sqlite_url: str) -> None:
    """Another process holds it longer than anybody should wait. Readers go on."""
    database = open_database(sqlite_url)
    store = SqlStore(database)
    user, _ = await keep_person(store, "maya")
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        committing = asyncio.create_task(store.commit(Change(root=user.id, expected=1)))
        assert (await store.load(UserKey(username="maya"))).version == 1
        with pytest.raises(Unavailable):
            await committing
        other.execute("ROLLBACK")
    assert await store.commit(Change(root=user.id, expected=1)) is Outcome.APPLIED
    await store.close()
    await database.close()


async def test_a_full_disk_is_unavailable_and_keeps_nothing(sqlite_url: str) -> None:
    """The change that found no room is gone whole, and the next one that fits is taken."""
    database = open_database(sqlite_url)
    store = SqlStore(database)
    user, _ = await keep_person(store, "maya")
    events = tuple(an_event(user, data={"much": "x" * 1_000}) for _ in range(2_000))

    def limit(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 8}")

    await database.raw_write(limit)  # type: ignore[attr-defined]
    with pytest.raises(Unavailable):
        await store.commit(Change(root=user.id, expected=1, events=events))

    assert (await store.load(UserKey(username="maya"))).version == 1
    assert await store.commit(Change(root=user.id, expected=1)) is Outcome.APPLIED
    await store.close()
    await database.close()


async def test_a_failure_of_one_never_answers_another(database_url: str) -> None:
    """In one batch: a duplicate, a stale version, and one that is right."""
    database = open_database(database_url)
    store = SqlStore(database)
    maya, _ = await keep_person(store, "maya")
    right, double = a_user("right"), a_user("maya")
    answers = await asyncio.gather(
        store.commit(Change(root=double.id, expected=0, new=(double,))),
        store.commit(Change(root=maya.id, expected=7)),
        store.commit(Change(root=right.id, expected=0, new=(right,))),
        return_exceptions=True,
    )
    assert [type(answers[0]).__name__, *answers[1:]] == ["Duplicate", Outcome.CONFLICT, Outcome.APPLIED]
    await store.close()
    await database.close()


@pytest.mark.requirement("G1", "G3")
@pytest.mark.parametrize("table", ["events", "audit_queue"])
async def test_what_cannot_be_told_is_not_done(database_url: str, table: str) -> None:
    """Without a place for its event, a change is refused whole."""
    database = open_database(database_url)
    store = SqlStore(database)
    user, _ = await keep_person(store, "maya")
    await database.write(lambda connection: connection.execute(text(f"ALTER TABLE {table} RENAME TO gone")))

    with pytest.raises((asyncpg.PostgresError, sqlite3.Error)):
        await count_one_more(store, "maya")

    loaded = await store.load(UserKey(user=user.id))
    assert (loaded.version, [state.counter for state in loaded.states.values()]) == (1, [-1])
    await store.close()
    await database.close()
