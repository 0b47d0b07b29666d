"""How PostgreSQL finds the rows of a load, on tables that are new to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.domain.records import Authentication, Challenge, Factor, User
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.databases import a_challenge, a_factor, a_user, an_authentication, keep_person
from tests.support.postgres import PostgresServer

PEOPLE = 2_000
BATCHES = 25
BATCH = 32
LOADS = 3 * BATCH * BATCHES
TABLES = ("roots", "users", "factors", "factor_state", "authentications", "challenges")


@pytest.mark.parametrize("empty", [False, True])
async def test_a_load_looks_up_keys_before_there_are_statistics(
    postgres: PostgresServer, migrated_postgres_url: str, empty: bool
) -> None:
    """Thousands are imported at once, and sign in before autovacuum has looked: no batch reads a whole table, nor a
    whole index. Nor later on, where statements were planned while PostgreSQL knew the tables as ``empty``.
    """
    name = migrated_postgres_url.rpartition("/")[2]
    for table in TABLES:
        postgres.sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)", database=name)
        if empty:
            postgres.sql(f"VACUUM ANALYZE {table}", database=name)
    database = open_database(migrated_postgres_url)
    store = SqlStore(database)
    if empty:
        await load_all(store, [of(a_user("nobody"))] * BATCH)
    attempts = await asyncio.gather(*(attempted(store, f"user{i}") for i in range(PEOPLE)))
    before = {table: reads(postgres, name, table) for table in TABLES}
    await load_all(store, attempts[:BATCH])
    await store.close()
    await database.close()

    for table in TABLES:
        whole, single = (now - then for now, then in zip(reads(postgres, name, table), before[table], strict=True))
        assert whole == 0, table
        # What was read while they were made may be counted late; a whole index for each key would be a hundred times it.
        assert single < LOADS * PEOPLE / 100, table


async def load_all(store: SqlStore, attempts: Sequence[tuple[Authentication, Challenge]]) -> None:
    """Some batches of each kind."""
    kinds = [
        [UserKey(username=f"user{i}", network="192.0.2.0/24") for i in range(BATCH)],
        [UserKey(authentication=attempt.id) for attempt, _ in attempts],
        [UserKey(factor=asked.factor_id, challenge=asked.id) for _, asked in attempts],
    ]
    for _ in range(BATCHES):
        for keys in kinds:
            await asyncio.gather(*(store.load(key) for key in keys))


def reads(postgres: PostgresServer, name: str, table: str) -> tuple[int, int]:
    """Rows that were read from beginning to end, and rows that an index led to."""
    columns = "seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables"
    row = postgres.sql(f"SELECT {columns} WHERE relname = '{table}'", database=name)
    whole, single = row.split("|")
    return int(whole), int(single)


async def attempted(store: SqlStore, username: str) -> tuple[Authentication, Challenge]:
    """A person who signs in."""
    user, factor = await keep_person(store, username)
    attempt, asked = of(user, factor)
    assert await store.commit(Change(root=user.id, expected=1, new=(attempt, asked))) is Outcome.APPLIED
    return attempt, asked


def of(user: User, factor: Factor | None = None) -> tuple[Authentication, Challenge]:
    """What is stored of it."""
    attempt = an_authentication(user)
    return attempt, a_challenge(attempt, factor or a_factor(user))
