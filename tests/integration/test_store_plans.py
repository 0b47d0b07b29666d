"""How PostgreSQL finds the rows of a load, on tables that are new to it."""

from __future__ import annotations

import asyncio

from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.ports.store import UserKey
from tests.support.databases import keep_person
from tests.support.postgres import PostgresServer

PEOPLE = 2_000
BATCHES = 25


async def test_a_load_looks_up_keys_before_there_are_statistics(
    postgres: PostgresServer, migrated_postgres_url: str
) -> None:
    """Thousands are imported at once, and sign in before autovacuum has looked: no batch reads a whole table."""
    name = migrated_postgres_url.rpartition("/")[2]
    postgres.sql("ALTER TABLE factors SET (autovacuum_enabled = off)", database=name)
    database = open_database(migrated_postgres_url)
    store = SqlStore(database)
    await asyncio.gather(*(keep_person(store, f"user{i}") for i in range(PEOPLE)))
    for _ in range(BATCHES):
        keys = [UserKey(username=f"user{i}", network="192.0.2.0/24") for i in range(32)]
        await asyncio.gather(*(store.load(key) for key in keys))
    await store.close()
    await database.close()

    read = postgres.sql("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'factors'", database=name)

    assert int(read) < 2 * PEOPLE
