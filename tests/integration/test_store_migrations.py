"""Migrations: forwards on both databases, once for many starters, restored on failure, and equal to the tables."""

from __future__ import annotations

import asyncio
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Table, inspect

from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.migrate import MIGRATIONS, SchemaTooNew, current_revision, head_revision, migrate_database
from nightlatch.adapters.sql.partitions import ensure_partitions
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.tables import METADATA
from nightlatch.domain.errors import Unavailable
from nightlatch.domain.time import DAY, parse_rfc3339
from nightlatch.ports.store import Change, UserKey
from tests.support.databases import NOW, an_event, keep_person
from tests.support.postgres import PostgresServer

NEXT = f"""
from alembic import op
import sqlalchemy as sa
revision = "later"
down_revision = {head_revision()!r}
def upgrade():
    op.add_column("users", sa.Column("nickname", sa.Text()))
"""
# Not even a step that ends our transaction can leave a database half-way.
BREAKS = (
    NEXT
    + """
    op.execute("UPDATE users SET username = 'broken'")
    op.execute("COMMIT")
    op.execute("BEGIN IMMEDIATE")
    raise RuntimeError("this step is broken")
"""
)


def with_step(folder: Path, step: str) -> Path:
    """Our migrations and one more."""
    migrations = folder / "migrations"
    shutil.copytree(MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    (migrations / "versions" / "later.py").write_text(step)
    return migrations


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nobody has touched."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


async def test_of_many_starters_one_migrates(empty_url: str) -> None:
    """The others wait, and find that there is nothing to do."""
    assert sorted(await asyncio.gather(*(migrate_database(empty_url, NOW) for _ in range(4)))) == [False] * 3 + [True]


async def test_the_steps_make_exactly_the_tables(empty_url: str) -> None:
    """What the code asks for is what a fresh database has: columns, types, keys, indexes."""
    await migrate_database(empty_url, NOW)

    def is_ours(thing: Any, name: str | None, kind: str, *_: Any) -> bool:
        table = thing if kind == "table" else thing.table
        return not (isinstance(table, Table) and table.name.startswith("events_"))

    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "include_object": is_ours}
        return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)

    database = open_database(empty_url)
    assert await database.read(differences) == []
    assert await database.read(current_revision) == head_revision()
    await database.close()


async def test_a_database_with_data_goes_forwards(database_url: str, tmp_path: Path) -> None:
    """Nothing is lost, and the code before the step still works on what it made."""
    database = open_database(database_url)
    store = SqlStore(database)
    user, _ = await keep_person(store, "maya")

    assert await migrate_database(database_url, NOW, migrations=with_step(tmp_path, NEXT))

    assert (await store.load(UserKey(user=user.id))).user == user
    await keep_person(store, "ravi")
    await store.close()
    assert await database.read(current_revision) == "later"
    await database.close()


async def test_a_failing_step_changes_nothing(database_url: str, tmp_path: Path) -> None:
    """The next start may try again."""
    failing = BREAKS if database_url.startswith("sqlite") else NEXT + "    raise RuntimeError('this step is broken')\n"
    database = open_database(database_url)
    store = SqlStore(database)
    user, _ = await keep_person(store, "maya")

    with pytest.raises(RuntimeError, match="this step is broken"):
        await migrate_database(database_url, NOW, migrations=with_step(tmp_path, failing))

    assert (await store.load(UserKey(user=user.id))).user == user
    assert await database.read(current_revision) == head_revision()
    columns = await database.read(lambda connection: inspect(connection).get_columns("users"))
    assert "nickname" not in {column["name"] for column in columns}
    await store.close()
    await database.close()
    assert not any(name.endswith(".before-migration") for name in modes_in(tmp_path))


async def test_a_database_of_a_later_release_is_refused(database_url: str, tmp_path: Path) -> None:
    """We would not know what we do to it."""
    await migrate_database(database_url, NOW, migrations=with_step(tmp_path, NEXT))
    with pytest.raises(SchemaTooNew, match="later"):
        await migrate_database(database_url, NOW)


@pytest.mark.requirement("K1")
async def test_an_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask says; its log and shared memory too."""
    url = f"sqlite:///{tmp_path}/new.db"
    await migrate_database(url, NOW)
    database = open_database(url)
    store = SqlStore(database)
    await store.commit(Change(root="r", expected=0))
    assert modes_in(tmp_path) == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm", "new.db.lock"), 0o600)
    await store.close()
    await database.close()


async def test_a_database_that_nobody_made_is_unavailable(tmp_path: Path) -> None:
    """Opening never makes one by accident."""
    database = open_database(f"sqlite:///{tmp_path}/missing.db")
    store = SqlStore(database)
    with pytest.raises(Unavailable):
        await store.load(UserKey(username="maya"))
    with pytest.raises(Unavailable):
        await store.commit(Change(root="r", expected=0))
    assert modes_in(tmp_path) == {}
    await store.close()
    await database.close()


async def test_events_of_a_month_are_a_partition(postgres: PostgresServer, migrated_postgres_url: str) -> None:
    """This month and the next two are made ahead; other months go to the default and never fail."""
    database = open_database(migrated_postgres_url)
    store = SqlStore(database)
    user, _ = await keep_person(store, "maya")
    name = migrated_postgres_url.rpartition("/")[2]
    month = parse_rfc3339("2027-06-15T00:00:00Z")
    await store.commit(Change(root=user.id, expected=1, events=(an_event(user), an_event(user, at=month))))

    where = postgres.sql("SELECT tableoid::regclass FROM events ORDER BY at", database=name)
    assert where.split() == ["events_2025_12", "events_default"]

    made = await database.write(lambda connection: ensure_partitions(connection, instant_of("2027-07-01")))
    assert made == ["events_2027_07", "events_2027_08", "events_2027_09"]
    # June has a row in the default already: it stays there, and nothing fails.
    made = await database.write(lambda connection: ensure_partitions(connection, month))
    assert made == []
    await store.commit(Change(root=user.id, expected=2, events=(an_event(user, at=month + 20 * DAY),)))
    where = postgres.sql("SELECT tableoid::regclass FROM events ORDER BY at", database=name)
    assert where.split() == ["events_2025_12", "events_default", "events_2027_07"]
    plan = postgres.sql(f"EXPLAIN SELECT * FROM events WHERE at = {month} AND id = 'evt_1'", database=name)
    assert "events_2025_12" not in plan
    await store.close()
    await database.close()


def instant_of(day: str) -> int:
    """The first moment of a day."""
    return parse_rfc3339(f"{day}T00:00:00Z")


def modes_in(folder: Path) -> dict[str, int]:
    """Who may do what with each file."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
