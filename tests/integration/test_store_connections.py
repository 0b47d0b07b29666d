"""How many connections a process has to PostgreSQL, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text

from nightlatch.adapters.sql.at_hand import MOST
from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.postgres import POOL_SIZE, PostgresDatabase
from nightlatch.domain.errors import Unavailable
from tests.support.postgres import PostgresServer

CROWD = 80
SLEEP = "SELECT pg_sleep(0.02)"


@pytest.fixture
async def opened(migrated_postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    """A database of the test's own."""
    database = open_database(migrated_postgres_url)
    assert isinstance(database, PostgresDatabase)
    yield database
    await database.close()


async def pid_of_hot(database: PostgresDatabase) -> int:
    """Which process of the server a hot statement ran in."""
    async with database.driver() as connection:
        pid: int = await connection.fetchval("SELECT pg_backend_pid()")
        return pid


async def test_what_a_crowd_opened_is_kept_for_the_next(postgres: PostgresServer, opened: PostgresDatabase) -> None:
    """To open a connection costs both sides many times what a statement does, so none is opened twice."""
    name = await opened.read(lambda connection: connection.execute(text("SELECT current_database()")).scalar_one())

    async def hot() -> None:
        async with opened.driver() as connection:
            await connection.execute(SLEEP)

    async def crowd() -> set[str]:
        work = (opened.write(lambda connection: connection.execute(text(SLEEP))) for _ in range(CROWD))
        await asyncio.gather(*work, *(hot() for _ in range(CROWD)))
        return set(postgres.sql(f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'").split())

    first = await crowd()
    assert 2 < len(first) <= POOL_SIZE + MOST
    assert await crowd() == first


async def test_a_connection_whose_statement_failed_is_used_again(opened: PostgresDatabase) -> None:
    """The server said no, and nothing is under way."""
    pid = await pid_of_hot(opened)
    with pytest.raises(asyncpg.UndefinedTableError):
        async with opened.driver() as connection:
            await connection.execute("SELECT 1 FROM nothing")
    assert await pid_of_hot(opened) == pid


async def test_a_connection_whose_caller_left_is_not(opened: PostgresDatabase) -> None:
    """The next one would wait for what the one before it began."""
    pid = await pid_of_hot(opened)
    began = asyncio.Event()

    async def leave() -> None:
        async with opened.driver() as connection:
            began.set()
            await connection.execute("SELECT pg_sleep(60)")

    leaving = asyncio.create_task(leave())
    await began.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert await pid_of_hot(opened) != pid


async def test_a_connection_that_the_server_ended_is_not(postgres: PostgresServer, opened: PostgresDatabase) -> None:
    """It has told its end."""
    pid = await pid_of_hot(opened)
    postgres.sql(f"SELECT pg_terminate_backend({pid}, 10000)")
    with contextlib.suppress(Unavailable):  # while its end is on the way
        assert await pid_of_hot(opened) != pid
    assert await pid_of_hot(opened) != pid


async def test_a_closed_database_opens_nothing(opened: PostgresDatabase) -> None:
    """Not even for one that was there first."""
    async with opened.driver() as connection:
        await opened.close()
        assert await connection.fetchval("SELECT 1") == 1
    assert connection.is_closed()
    with pytest.raises(Unavailable):
        await pid_of_hot(opened)
