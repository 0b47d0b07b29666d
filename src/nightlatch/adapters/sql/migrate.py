"""Bring a database to the schema of this release: once, by the parent process, before workers start."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from nightlatch.adapters.sql.locks import MIGRATION_LOCK
from nightlatch.adapters.sql.partitions import ensure_partitions
from nightlatch.adapters.sql.url import PostgresAddress, SqliteAddress, parse_address

MIGRATIONS = Path(__file__).with_name("migrations")


class SchemaTooNew(Exception):
    """The database was made by a later release; this one would not know what it does to it."""


async def migrate_database(url: str, now: int, *, migrations: Path = MIGRATIONS) -> bool:
    """Migrate under the lock of this database, so that of many starters one does it; True when there was something.

    On PostgreSQL the URL must go past any pooler. An SQLite file that does not exist is made, for its owner only; one
    that has data is copied first and restored when a step fails. Raises ``BadAddress``, ``SchemaTooNew``, and
    whatever a step raises.
    """
    address = parse_address(url)
    if isinstance(address, SqliteAddress):
        return await asyncio.to_thread(_migrate_sqlite, address.path, migrations)
    return await _migrate_postgres(address, now, migrations)


def migrate(connection: Connection, migrations: Path = MIGRATIONS) -> bool:
    """Run the missing steps in the transaction of this connection; True when there were some."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    before = current_revision(connection)
    if before == head_revision(migrations):
        return False
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaTooNew(f"The database has schema {before}, which this release does not know.") from error
    return True


def current_revision(connection: Connection) -> str | None:
    """Where this database stands; None when nothing was made yet."""
    return MigrationContext.configure(connection).get_current_revision()


def head_revision(migrations: Path = MIGRATIONS) -> str | None:
    """Where this release wants it."""
    return ScriptDirectory(str(migrations)).get_current_head()


def is_known(revision: str, migrations: Path = MIGRATIONS) -> bool:
    """Whether this release made that schema or a later one; an unknown one is of a later release."""
    return revision in {step.revision for step in ScriptDirectory(str(migrations)).walk_revisions()}


async def _migrate_postgres(address: PostgresAddress, now: int, migrations: Path) -> bool:
    from nightlatch.adapters.sql.postgres import engine_for, translated

    def work(connection: Connection) -> bool:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        changed = migrate(connection, migrations)
        ensure_partitions(connection, now)
        return changed

    engine = engine_for(address, pool_size=1, seconds_for_a_statement=None)
    try:
        with translated():
            async with engine.begin() as connection:
                return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _migrate_sqlite(path: Path, migrations: Path) -> bool:
    from nightlatch.adapters.sql.sqlite import engine_for, translated

    with _locked(path), translated():
        with os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, 0o600)):
            pass  # made for its owner only; SQLite gives its log the same mode
        engine = engine_for(path)
        try:
            with engine.connect() as connection:
                if current_revision(connection) == head_revision(migrations):
                    return False
                empty = not inspect(connection).get_table_names()
            if empty:
                with engine.begin() as connection:
                    return migrate(connection, migrations)
            with _restored_on_failure(path), engine.begin() as connection:
                return migrate(connection, migrations)
        finally:
            engine.dispose()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time. The file stays: removing it would let two hold two different ones."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextmanager
def _restored_on_failure(path: Path) -> Iterator[None]:
    """Copy the database beside itself; put the copy back when the body raises."""
    copy = path.with_name(path.name + ".before-migration")
    os.close(os.open(copy, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600))
    try:
        _copy(path, copy)
        try:
            yield
        except BaseException:
            _copy(copy, path)
            raise
    finally:
        copy.unlink()


def _copy(source: Path, target: Path) -> None:
    """With the backup API, which is safe beside other connections."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
