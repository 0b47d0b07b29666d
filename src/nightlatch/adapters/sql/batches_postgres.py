"""Batches on PostgreSQL: one statement each, repeated after a deadlock, and item by item after any other failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from nightlatch.adapters.sql import commit_postgres, load_postgres
from nightlatch.adapters.sql.changes import Prepared
from nightlatch.adapters.sql.postgres import ATTEMPTS, PostgresDatabase, is_machine, is_transient
from nightlatch.domain.errors import Invalid, Unavailable
from nightlatch.ports.store import Duplicate, Outcome, Snapshot, UserKey


class PostgresBatches:
    """See ``store.Batches``."""

    # The second is for crowds: a whole batch need not wait for another that is being written to disk.
    load_lanes = 2
    commit_lanes = 2

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def load(self, keys: Sequence[UserKey]) -> Sequence[Snapshot]:
        """Every snapshot from one statement."""
        statement, arguments, needs = load_postgres.batch_statement(keys)
        async with self._database.driver() as connection:
            rows = await connection.fetch(statement, *arguments)
        return load_postgres.snapshots(rows, needs, len(keys))

    async def commit(self, changes: Sequence[Prepared]) -> Sequence[Outcome | Exception]:
        """One statement for all; when one item spoils it, each gets its own."""
        async with self._database.driver() as connection:
            try:
                return await _commit(connection, changes)
            except asyncpg.PostgresError as error:
                if is_machine(error):
                    raise
                if len(changes) == 1:
                    return [_reason(error)]
            return [await _commit_alone(connection, change) for change in changes]


async def _commit_alone(connection: Any, change: Prepared) -> Outcome | Exception:
    try:
        (outcome,) = await _commit(connection, [change])
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return _reason(error)
    return outcome


async def _commit(connection: Any, changes: Sequence[Prepared]) -> list[Outcome]:
    statement, arguments = commit_postgres.batch_statement(changes)
    applied = {row[0] for row in await _fetch(connection, statement, arguments)}
    return [Outcome.APPLIED if ord_ in applied else Outcome.CONFLICT for ord_ in range(len(changes))]


async def _fetch(connection: Any, statement: str, arguments: list[Any]) -> list[Sequence[Any]]:
    """Run it, again when it was the victim of a deadlock: then nothing of it was done."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            rows: list[Sequence[Any]] = await connection.fetch(statement, *arguments)
        except asyncpg.PostgresError as error:
            if attempt == ATTEMPTS or not is_transient(error):
                raise
        else:
            return rows
    raise AssertionError("the last attempt returns or raises")


def _reason(error: Exception) -> Exception:
    """What one caller is told."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return Duplicate(error.constraint_name or "")
    if isinstance(error, asyncpg.DataError):
        return Invalid("A number is too large to be kept.")
    if is_machine(error) or is_transient(error):
        unavailable = Unavailable()
        unavailable.__cause__ = error
        return unavailable
    return error
