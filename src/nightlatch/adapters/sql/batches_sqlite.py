"""Batches on SQLite: one transaction each on the writing thread, one read transaction on a reading thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial

from nightlatch.adapters.sql.changes import DELETE, EVENTS_PART, PARTS, PUT, Part, Prepared
from nightlatch.adapters.sql.load_sqlite import load_batch
from nightlatch.adapters.sql.sqlite import SqliteDatabase, is_machine
from nightlatch.adapters.sql.tables import quoted
from nightlatch.domain.errors import Invalid
from nightlatch.ports.store import Duplicate, Outcome, Snapshot, UserKey

Apply = Callable[[sqlite3.Connection, Sequence[Prepared]], Sequence[Outcome | Exception]]

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
    applied: list[Prepared] = []
    outcomes: list[Outcome] = []
    for change in changes:
        moved = _move(connection, change)
        outcomes.append(Outcome.APPLIED if moved else Outcome.CONFLICT)
        if moved:
            applied.append(change)
    for part in sorted({part for change in applied for part in change.rows}):
        rows = [row for change in applied for row in change.rows.get(part, ())]
        connection.executemany(_text(part), rows)
        if part == EVENTS_PART:
            names = PARTS[part].mapping.names
            picked = [names.index(name) for name in ("id", "at", "leaf")]
            queue = "INSERT INTO audit_queue (event_id, at, leaf) VALUES (?, ?, ?)"
            connection.executemany(queue, [[row[i] for i in picked] for row in rows])
    if any(change.shared for change in applied):
        connection.execute("UPDATE generation SET n = n + 1")
    return outcomes


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
def _text(part: Part) -> str:
    kept = PARTS[part]
    if part.operation == DELETE:
        return f"DELETE FROM {quoted(kept.name)} WHERE " + " AND ".join(f"{quoted(name)} = ?" for name in kept.key)
    names = kept.mapping.names
    marks = ", ".join("?" * len(names))
    text = f"INSERT INTO {quoted(kept.name)} ({', '.join(map(quoted, names))}) VALUES ({marks})"
    if part.operation == PUT:
        rest = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in names if name not in kept.key)
        text += f" ON CONFLICT ({', '.join(map(quoted, kept.key))}) DO UPDATE SET {rest}"
    return text
