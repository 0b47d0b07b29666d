"""Steps of the outbox on PostgreSQL: a batch is one statement, so one round trip and one write to disk.

``held`` locks the rows in the order of their ids, so that overlapping batches never wait for each other in a ring;
``done`` compares with the locked version, and the events of those alone are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightlatch.adapters.sql.changes import EVENTS_PART
from nightlatch.adapters.sql.commit_postgres import queue_events, write_rows
from nightlatch.adapters.sql.outbox_rows import Step
from nightlatch.adapters.sql.postgres import PostgresDatabase
from nightlatch.adapters.sql.tables import EVENTS

_DONE = """\
WITH given AS MATERIALIZED (
  SELECT * FROM unnest(
    $1::int4[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int8[], $7::text[], $8::text[], $9::text[],
    $10::int8[]
  ) AS g(ord, id, was, lease, status, due_at, gateway, reference, error, done_at)
), held AS MATERIALIZED (
  SELECT id FROM outbox WHERE id = ANY($2) ORDER BY id FOR UPDATE
), done AS (
  UPDATE outbox AS o SET
    status = g.status, sealed = CASE WHEN g.status = 'waiting' THEN o.sealed END, due_at = g.due_at, lease = NULL,
    leased_until = 0, gateway = g.gateway, reference = g.reference, error = g.error, done_at = g.done_at
  FROM held JOIN given AS g USING (id)
  WHERE o.id = held.id AND o.status = g.was AND o.lease IS NOT DISTINCT FROM g.lease
  RETURNING g.ord
)"""
_POSITION = 11


def _text() -> str:
    told = write_rows(EVENTS_PART, EVENTS, _POSITION)
    queued = queue_events(EVENTS, _POSITION)
    return f"{_DONE}, told AS (\n{told}), queued AS (\n{queued})\nSELECT ord FROM done"


_WITH_EVENTS = _text()
_WITHOUT = f"{_DONE}\nSELECT ord FROM done"


class PostgresSteps:
    """See ``outbox_rows.Steps``."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def make(self, steps: Sequence[Step]) -> Sequence[bool]:
        """See ``Steps``."""
        told = [(ord_, EVENTS.mapping.row(event)) for ord_, step in enumerate(steps) for event in step.events]
        *columns, _ = zip(*steps, strict=True)
        arguments: list[Any] = [range(len(steps)), *columns]
        if told:
            arguments += [[ord_ for ord_, _ in told], *zip(*(row for _, row in told), strict=True)]
        async with self._database.driver() as connection:
            rows = await connection.fetch(_WITH_EVENTS if told else _WITHOUT, *arguments)
        done = {row[0] for row in rows}
        return [ord_ in done for ord_ in range(len(steps))]
