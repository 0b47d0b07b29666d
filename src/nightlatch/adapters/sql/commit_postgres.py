"""A batch of changes in one PostgreSQL statement.

Why it is sound in READ COMMITTED, where the statement sees the moment at which it began:

- ``held`` locks the roots in the order of their ids, so that overlapping batches never wait for each other in a
  ring. A row that another batch changed meanwhile is waited for, and its *latest* version is what is returned.
- ``moved`` compares with that locked version and with nothing that it saw itself. Who passes has read the root's
  newest version before, and nobody has changed any row of the root since; so all rows that the statement sees of this
  root are the newest, and the other parts may rely on them.
- A root that nobody has stored yet is inserted in the order of ids after all locks are held; of two inserters the
  second waits and then makes nothing, which is a conflict.
- Every other part writes only rows whose ordinal is in ``done``: one answer per ordinal, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from nightlatch.adapters.sql.changes import DELETE, EVENTS_PART, PARTS, PUT, Part, Prepared
from nightlatch.adapters.sql.mapping import BYTES, INTEGER, TEXT, TRUTH
from nightlatch.adapters.sql.tables import RecordTable, quoted

ARRAYS = {TEXT: "text[]", INTEGER: "int8[]", BYTES: "bytea[]", TRUTH: "bool[]"}

_HELD = """\
WITH given AS MATERIALIZED (
  SELECT * FROM unnest($1::int4[], $2::text[], $3::int8[]) AS g(ord, root, expected)
), held AS MATERIALIZED (
  SELECT id, version FROM roots WHERE id = ANY($2) ORDER BY id FOR UPDATE
), moved AS (
  UPDATE roots SET version = held.version + 1
  FROM held JOIN given ON given.root = held.id AND given.expected = held.version
  WHERE roots.id = held.id AND roots.id = ANY($2)
  RETURNING given.ord
), """

_MADE = """made AS (
  INSERT INTO roots (id, version)
  SELECT root, 1 FROM given
  WHERE expected = 0 AND root NOT IN (SELECT id FROM held)
  ORDER BY root
  ON CONFLICT (id) DO NOTHING
  RETURNING id
), done AS MATERIALIZED (
  SELECT ord FROM moved
  UNION ALL
  SELECT min(ord) FROM given JOIN made ON made.id = given.root WHERE given.expected = 0 GROUP BY made.id
)"""

_DONE = """done AS MATERIALIZED (
  SELECT ord FROM moved
)"""


def batch_statement(changes: Sequence[Prepared]) -> tuple[str, list[Any]]:
    """The statement for these changes, of distinct roots, and its arguments.

    It returns the ordinals (places in ``changes``) of those that were applied.
    """
    parts = tuple(sorted({part for change in changes for part in change.rows}))
    fresh = any(change.expected == 0 for change in changes)
    shared = [ord_ for ord_, change in enumerate(changes) if change.shared]
    arguments: list[Any] = [
        range(len(changes)),
        [change.root for change in changes],
        [change.expected for change in changes],
    ]
    for part in parts:
        ordinals: list[int] = []
        rows: list[list[Any]] = []
        for ord_, change in enumerate(changes):
            mine = change.rows.get(part, ())
            rows.extend(mine)
            ordinals.extend([ord_] * len(mine))
        arguments.append(ordinals)
        arguments.extend(zip(*rows, strict=True))
    if shared:
        arguments.append(shared)
    return _text(parts, fresh, bool(shared)), arguments


@cache
def _text(parts: tuple[Part, ...], fresh: bool, shared: bool) -> str:
    """The statement for this set of parts. There are few sets: those that use cases write together."""
    text = _HELD + (_MADE if fresh else _DONE)
    position = 4
    for number, part in enumerate(parts):
        kept = PARTS[part]
        columns = kept.key if part.operation == DELETE else kept.mapping.names
        text += f", part{number} AS (\n{write_rows(part, kept, position)})"
        if part == EVENTS_PART:
            text += f", queued AS (\n{queue_events(kept, position)})"
        position += 1 + len(columns)
    if shared:
        text += f""", bumped AS (
  UPDATE generation SET n = n + 1 WHERE EXISTS (SELECT 1 FROM done WHERE ord = ANY(${position}::int4[]))
)"""
    return text + "\nSELECT ord FROM done"


def write_rows(part: Part, kept: RecordTable, position: int) -> str:
    """What writes the rows of one part; their ordinals and columns are parameters from ``position`` on."""
    table = quoted(kept.name)
    if part.operation == DELETE:
        match = " AND ".join(f"t.{quoted(name)} = d.{quoted(name)}" for name in kept.key)
        return f"  DELETE FROM {table} AS t USING {_rows(kept, kept.key, position)} WHERE {match}\n"
    names = kept.mapping.names
    columns = ", ".join(map(quoted, names))
    values = ", ".join(f"d.{quoted(name)}" for name in names)
    text = f"  INSERT INTO {table} ({columns})\n  SELECT {values} FROM {_rows(kept, names, position)}\n"
    if part.operation == PUT:
        rest = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in names if name not in kept.key)
        text += f"  ON CONFLICT ({', '.join(map(quoted, kept.key))}) DO UPDATE SET {rest}\n"
    return text


def queue_events(kept: RecordTable, position: int) -> str:
    """What gives the same events their places in the queue."""
    names = kept.mapping.names
    return (
        "  INSERT INTO audit_queue (event_id, at, leaf)\n"
        f"  SELECT d.id, d.at, d.leaf FROM {_rows(kept, names, position)}\n"
    )


def _rows(kept: RecordTable, names: Sequence[str], position: int) -> str:
    """The rows of one part that belong to an applied change, as ``d``."""
    shapes = dict(zip(kept.mapping.names, kept.mapping.shapes, strict=True))
    arrays = ", ".join(f"${position + 1 + i}::{ARRAYS[shapes[name].type]}" for i, name in enumerate(names))
    columns = ", ".join(map(quoted, names))
    return f"unnest(${position}::int4[], {arrays}) AS d(ord, {columns}) JOIN done USING (ord)"
