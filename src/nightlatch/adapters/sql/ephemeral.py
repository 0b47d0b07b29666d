"""The port ``Ephemeral`` in the database that everybody has. Each call is one statement, or shares one with others."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Executable, case, delete
from sqlalchemy.dialects import postgresql, sqlite

from nightlatch.adapters.sql.coalescer import Coalescer
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.mapping import refuse_unkept
from nightlatch.adapters.sql.tables import EPHEMERAL
from nightlatch.ports.world import Clock

if TYPE_CHECKING:
    from nightlatch.adapters.sql.postgres import PostgresDatabase
    from nightlatch.adapters.sql.sqlite import SqliteDatabase

_DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}
# Phones are many: each of their requests adds an id that none may use again.
BATCH = 64

_ADD = """\
INSERT INTO ephemeral (key, value, expires_at) {given}
ON CONFLICT (key) DO UPDATE SET value = excluded.value, number = NULL, expires_at = excluded.expires_at
  WHERE ephemeral.expires_at <= {now}
RETURNING key"""
# In the order of keys, so that those of several processes never wait for each other in a ring.
_ADD_MANY = _ADD.format(
    given="SELECT key, value, until FROM unnest($1::text[], $2::bytea[], $3::int8[]) AS d(key, value, until) ORDER BY key",
    now="$4",
)
_ADD_ONE = _ADD.format(given="VALUES (?, ?, ?)", now="?")


class _Added(NamedTuple):
    """What one caller wants to be there."""

    key: str
    value: bytes
    until: int


class SqlEphemeral:
    """See ``ports.ephemeral.Ephemeral``. What has expired is as good as absent; the retention sweep removes it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # Both dialects spell INSERT … ON CONFLICT alike, on constructs of their own.
        self._insert: Any = _DIALECTS[database.dialect].insert
        # One statement cannot set a key twice, so of callers with one key the second waits for the first.
        self._adding = Coalescer[_Added, bool](self._add, limit=BATCH, lanes=1, key_of=lambda added: added.key)
        self._add_all = _adding_on(database)

    async def put(self, key: str, value: bytes, *, ttl: int) -> None:
        """Set, whatever was there."""
        new = self._insert(EPHEMERAL).values(key=key, value=value, expires_at=self._clock.now() + ttl)
        await self._run(new.on_conflict_do_update(index_elements=["key"], set_=_replacing(new)))

    async def add_if_absent(self, key: str, value: bytes, *, ttl: int) -> bool:
        """Set if nothing is there; of many at once, one gets True."""
        refuse_unkept(key)  # it would spoil the statement for others
        return await self._adding.submit(_Added(key, value, self._clock.now() + ttl))

    async def take(self, key: str) -> bytes | None:
        """Return and remove."""
        gone = delete(EPHEMERAL).where(EPHEMERAL.c.key == key, EPHEMERAL.c.expires_at > self._clock.now())
        value: bytes | None = await self._run(gone.returning(EPHEMERAL.c.value))
        return value

    async def increment(self, key: str, *, by: int = 1, ttl: int) -> int:
        """Add and return the sum."""
        now, kept = self._clock.now(), EPHEMERAL.c
        new = self._insert(EPHEMERAL).values(key=key, number=by, expires_at=now + ttl)
        expired = kept.expires_at <= now
        changed = {
            "number": case((expired, new.excluded.number), else_=kept.number + new.excluded.number),
            "expires_at": case((expired, new.excluded.expires_at), else_=kept.expires_at),
        }
        add = new.on_conflict_do_update(index_elements=["key"], set_=changed).returning(kept.number)
        return int(await self._run(add))

    async def close(self) -> None:
        """Finish what was begun. Close it before the database."""
        await self._adding.close()

    async def _add(self, items: Sequence[_Added]) -> Sequence[bool]:
        return await self._add_all(items, self._clock.now())

    async def _run(self, statement: Executable) -> Any:
        """The first column of the row that the statement returns, or None."""

        def work(connection: Connection) -> Any:
            result = connection.execute(statement)
            return result.scalar_one_or_none() if result.returns_rows else None

        return await self._database.write(work)


def _adding_on(database: Database) -> Callable[[Sequence[_Added], int], Awaitable[Sequence[bool]]]:
    """How this database adds many: whether each is there now and was not before."""
    from nightlatch.adapters.sql.sqlite import SqliteDatabase

    if isinstance(database, SqliteDatabase):
        return partial(_add_on_sqlite, database)
    from nightlatch.adapters.sql.postgres import PostgresDatabase

    assert isinstance(database, PostgresDatabase)
    return partial(_add_on_postgres, database)


async def _add_on_postgres(database: PostgresDatabase, items: Sequence[_Added], now: int) -> list[bool]:
    async with database.driver() as connection:
        rows = await connection.fetch(_ADD_MANY, *zip(*items, strict=True), now)
    added = {row[0] for row in rows}
    return [item.key in added for item in items]


async def _add_on_sqlite(database: SqliteDatabase, items: Sequence[_Added], now: int) -> list[bool]:
    """One transaction for all, and one flush to disk."""

    def add(connection: sqlite3.Connection) -> list[bool]:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            return [connection.execute(_ADD_ONE, (*item, now)).fetchone() is not None for item in items]

    return await database.raw_write(add)


def _replacing(new: Any) -> dict[str, Any]:
    return {"value": new.excluded.value, "number": None, "expires_at": new.excluded.expires_at}
