"""How many connections a process has to PostgreSQL, and for how long."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.postgres import POOL_SIZE
from tests.support.postgres import PostgresServer

CROWD = 80


async def test_what_a_crowd_opened_is_kept_for_the_next(postgres: PostgresServer, migrated_postgres_url: str) -> None:
    """To open a connection costs both sides many times what a statement does, so none is opened twice."""
    name = migrated_postgres_url.rpartition("/")[2]
    database = open_database(migrated_postgres_url)

    async def backends() -> set[str]:
        await asyncio.gather(
            *(database.write(lambda c: c.execute(text("SELECT pg_sleep(0.02)"))) for _ in range(CROWD))
        )
        listed = postgres.sql(f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'")
        return set(listed.split())

    first = await backends()
    assert 1 < len(first) <= POOL_SIZE
    assert await backends() == first
    await database.close()
