"""The port ``Store``: loads and commits of many callers, coalesced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from nightlatch.adapters.sql.changes import Prepared, prepare
from nightlatch.adapters.sql.coalescer import Coalescer
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.mapping import refuse_unkept
from nightlatch.adapters.sql.turns import Turns
from nightlatch.domain.errors import Invalid
from nightlatch.ports.store import Change, Outcome, Snapshot, UserKey


class Batches(Protocol):
    """How one kind of database runs a batch. Answers are by place; an exception among them is that item's alone."""

    load_lanes: int
    commit_lanes: int

    async def load(self, keys: Sequence[UserKey]) -> Sequence[Snapshot | Exception]: ...

    async def commit(self, changes: Sequence[Prepared]) -> Sequence[Outcome | Exception]: ...


# Larger batches gain little (a statement's fixed cost is spread already) and make everybody wait for the slowest.
BATCH = 64


class SqlStore:
    """See ``ports.store.Store``. Belongs to one event loop; close it before the database."""

    def __init__(self, database: Database) -> None:
        batches = batches_of(database)
        self._turns = Turns()
        self._loads = Coalescer[UserKey, Snapshot](batches.load, limit=BATCH, lanes=batches.load_lanes)
        # At most one change per root is on its way: of two in one statement, or in two, one could only be refused.
        self._commits = Coalescer[Prepared, Outcome](
            batches.commit, limit=BATCH, lanes=batches.commit_lanes, key_of=lambda change: change.root
        )

    async def load(self, key: UserKey) -> Snapshot:
        """See ``Store``. An authentication that the ticket names comes along with it."""
        for text in (key.user, key.username, key.authentication, key.device_application, key.network):
            if text is not None:
                refuse_unkept(text)
        return await self._loads.submit(key)

    async def commit(self, change: Change) -> Outcome:
        """See ``Store``. Also raises ``Invalid`` for values that no database keeps."""
        refuse_unkept(change.root)
        if change.expected < 0:
            raise Invalid("A version is not negative.")
        return await self._commits.submit(prepare(change))

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        """See ``Store``."""
        return self._turns.take(root)

    async def close(self) -> None:
        """Finish what was begun and take no more."""
        await self._loads.close()
        await self._commits.close()


def batches_of(database: Database) -> Batches:
    """How this database runs batches."""
    from nightlatch.adapters.sql.sqlite import SqliteDatabase

    if isinstance(database, SqliteDatabase):
        from nightlatch.adapters.sql.batches_sqlite import SqliteBatches

        return SqliteBatches(database)
    from nightlatch.adapters.sql.batches_postgres import PostgresBatches
    from nightlatch.adapters.sql.postgres import PostgresDatabase

    assert isinstance(database, PostgresDatabase)
    return PostgresBatches(database)
