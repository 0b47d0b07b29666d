"""Batches on SQLite: one transaction each on the writing thread, one read transaction on a reading thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from itertools import chain
from typing import Any

from nightlatch.adapters.sql.changes import DELETE, EVENTS_PART, PARTS, PUT, Part, Prepared
from nightlatch.adapters.sql.chunks import chunks
from nightlatch.adapters.sql.load_sqlite import load_batch
from nightlatch.adapters.sql.sqlite import SqliteDatabase, is_machine
from nightlatch.adapters.sql.tables import quoted
from nightlatch.domain.errors import Invalid
from nightlatch.ports.store import Duplicate, Outcome, Snapshot, UserKey

Apply = Callable[[sqlite3.Connection, Sequence[Prepared]], Sequence[Outcome | Exception]]

_QUEUE = ("INSERT INTO audit_queue (event_id, at, leaf)", "(?, ?, ?)", "")
_MOVE_GIVEN = """\
UPDATE roots SET version = roots.version + 1
FROM (SELECT column1 AS id, column2 AS version FROM (VALUES {given})) AS given
WHERE roots.id = given.id AND roots.version = given.version"""

_TAKEN = "UNIQUE constraint failed: "


class SqliteBatches:
    """See ``store.Batches``. There is one writer, so one lane is all."""

    load_lanes = 1
    commit_lanes = 1

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def load(self, keys: Sequence[UserKey]) -> Sequence[Snapshot]:
        """Every snapshot from one read transaction."""
        return await self._database.raw_read(partial(load_batch, keys=keys))

    async def commit(self, changes: Sequence[Prepared]) -> Sequence[Outcome | Exception]:
        """One transaction for all; when one item spoils it, the same again with a savepoint for each."""
        return await self._database.raw_write(partial(commit_batch, changes=changes))


def commit_batch(connection: sqlite3.Connection, changes: Sequence[Prepared]) -> Sequence[Outcome | Exception]:
    """Apply changes of distinct roots, by place."""
    try:
        return _transaction(connection, changes, _apply)
    except (sqlite3.Error, OverflowError) as error:
        if isinstance(error, sqlite3.Error) and is_machine(error):
            raise
    return _transaction(connection, changes, _apply_each)


def _transaction(
    connection: sqlite3.Connection, changes: Sequence[Prepared], apply: Apply
) -> Sequence[Outcome | Exception]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = apply(connection, changes)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # after a full disk SQLite has rolled back itself
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _apply(connection: sqlite3.Connection, changes: Sequence[Prepared]) -> list[Outcome]:
    outcomes = _move_all(connection, changes)
    applied = [change for change, outcome in zip(changes, outcomes, strict=True) if outcome is Outcome.APPLIED]
    for part in sorted({part for change in applied for part in change.rows}):
        rows = [row for change in applied for row in change.rows.get(part, ())]
        if part.operation == DELETE:
            connection.executemany(_delete(part), rows)
            continue
        _write(connection, *_insert(part), rows)
        if part == EVENTS_PART:
            names = PARTS[part].mapping.names
            picked = [names.index(name) for name in ("id", "at", "leaf")]
            _write(connection, *_QUEUE, [[row[i] for i in picked] for row in rows])
    if any(change.shared for change in applied):
        connection.execute("UPDATE generation SET n = n + 1")
    return outcomes


def _write(connection: sqlite3.Connection, before: str, marks: str, after: str, rows: Sequence[Sequence[Any]]) -> None:
    for chunk in chunks(rows):
        text = f"{before} VALUES {', '.join([marks] * len(chunk))} {after}"
        connection.execute(text, list(chain.from_iterable(chunk)))


def _move_all(connection: sqlite3.Connection, changes: Sequence[Prepared]) -> list[Outcome]:
    """Raise the versions of the roots that are the expected ones: all at once, or one by one when that is not all."""
    if len(changes) > 1 and all(change.expected for change in changes):
        connection.execute("SAVEPOINT moves")
        given = ", ".join(["(?, ?)"] * len(changes))
        values = [value for change in changes for value in (change.root, change.expected)]
        if connection.execute(_MOVE_GIVEN.format(given=given), values).rowcount == len(changes):
            connection.execute("RELEASE moves")
            return [Outcome.APPLIED] * len(changes)
        connection.execute("ROLLBACK TO moves")
        connection.execute("RELEASE moves")
    return [Outcome.APPLIED if _move(connection, change) else Outcome.CONFLICT for change in changes]


def _move(connection: sqlite3.Connection, change: Prepared) -> bool:
    """Raise the version of the root, if it is the expected one."""
    if change.expected == 0:
        made = "INSERT INTO roots (id, version) VALUES (?, 1) ON CONFLICT (id) DO NOTHING"
        if connection.execute(made, (change.root,)).rowcount == 1:
            return True
    moved = "UPDATE roots SET version = version + 1 WHERE id = ? AND version = ?"
    return connection.execute(moved, (change.root, change.expected)).rowcount == 1


def _apply_each(connection: sqlite3.Connection, changes: Sequence[Prepared]) -> list[Outcome | Exception]:
    outcomes: list[Outcome | Exception] = []
    for change in changes:
        connection.execute("SAVEPOINT item")
        try:
            outcomes.extend(_apply(connection, [change]))
        except (sqlite3.Error, OverflowError) as error:
            if isinstance(error, sqlite3.Error) and is_machine(error):
                raise
            connection.execute("ROLLBACK TO item")
            outcomes.append(_reason(error))
        connection.execute("RELEASE item")
    return outcomes


def _reason(error: Exception) -> Exception:
    """What one caller is told."""
    if isinstance(error, OverflowError):
        return Invalid("A number is too large to be kept.")
    if isinstance(error, sqlite3.IntegrityError) and str(error).startswith(_TAKEN):
        columns = str(error).removeprefix(_TAKEN).split(", ")
        table = columns[0].partition(".")[0]
        return Duplicate("_".join([table, *(column.partition(".")[2] for column in columns)]))
    return error


@cache
def _delete(part: Part) -> str:
    kept = PARTS[part]
    return f"DELETE FROM {quoted(kept.name)} WHERE " + " AND ".join(f"{quoted(name)} = ?" for name in kept.key)


@cache
def _insert(part: Part) -> tuple[str, str, str]:
    """What stands before the rows, for each row, and behind them."""
    kept = PARTS[part]
    names = kept.mapping.names
    before = f"INSERT INTO {quoted(kept.name)} ({', '.join(map(quoted, names))})"
    after = ""
    if part.operation == PUT:
        rest = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in names if name not in kept.key)
        after = f"ON CONFLICT ({', '.join(map(quoted, kept.key))}) DO UPDATE SET {rest}"
    return before, f"({', '.join('?' * len(names))})", after
