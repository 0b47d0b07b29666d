"""How PostgreSQL finds the rows of a load, on tables that are new to it."""

from __future__ import annotations

import asyncio

from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.domain.records import Authentication, Challenge
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.databases import a_challenge, an_authentication, keep_person
from tests.support.postgres import PostgresServer

PEOPLE = 2_000
BATCHES = 25
TABLES = ("roots", "users", "factors", "factor_state", "authentications", "challenges")


async def test_a_load_looks_up_keys_before_there_are_statistics(
    postgres: PostgresServer, migrated_postgres_url: str
) -> None:
    """Thousands are imported at once, and sign in before autovacuum has looked: no batch reads a whole table."""
    name = migrated_postgres_url.rpartition("/")[2]
    for table in TABLES:
        postgres.sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)", database=name)
    database = open_database(migrated_postgres_url)
    store = SqlStore(database)
    attempts = await asyncio.gather(*(attempted(store, f"user{i}") for i in range(PEOPLE)))
    for _ in range(BATCHES):
        keys = [UserKey(username=f"user{i}", network="192.0.2.0/24") for i in range(32)]
        keys += [UserKey(authentication=attempt.id) for attempt, _ in attempts[:32]]
        keys += [UserKey(factor=asked.factor_id, challenge=asked.id) for _, asked in attempts[:32]]
        await asyncio.gather(*(store.load(key) for key in keys))
    await store.close()
    await database.close()

    for table in TABLES:
        read = postgres.sql(f"SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = '{table}'", database=name)
        assert int(read) < 2 * PEOPLE, table


async def attempted(store: SqlStore, username: str) -> tuple[Authentication, Challenge]:
    """A person who signs in."""
    user, factor = await keep_person(store, username)
    attempt = an_authentication(user)
    asked = a_challenge(attempt, factor)
    assert await store.commit(Change(root=user.id, expected=1, new=(attempt, asked))) is Outcome.APPLIED
    return attempt, asked
