"""The rows of the outbox: taken, and moved on a step.

A take moves ``due_at`` to the end of its lease, so that the index of what is due holds nothing that is under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Connection, case, insert, literal_column, select, update

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.tables import AUDIT_QUEUE, EVENTS, OUTBOX
from nightlatch.domain.records import Event, MessageStatus, OutboxMessage
from nightlatch.ports.outbox import LEASE_LOST

_ROWS = OUTBOX.table
_C = _ROWS.c

# Spelt out, not bound: the planner must see that the partial index holds these rows.
WAITING = _C.status == literal_column(f"'{MessageStatus.WAITING.value}'")


class Taking(NamedTuple):
    """How rows are taken: those due ``now``, at most ``limit``, under ``lease`` until then, with these values."""

    now: int
    limit: int
    until: int
    lease: str
    values: Mapping[str, Any]


def take(connection: Connection, taking: Taking, which: Sequence[ColumnElement[bool]]) -> list[OutboxMessage]:
    """The due messages that this taker alone holds, oldest first."""
    if connection.dialect.name == "postgresql":
        # A take that a crash of the server forgets is made again, so nobody waits for the disk.
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    chosen = select(_C.id, _C.lease, _C.due_at).where(WAITING, _C.due_at <= taking.now, *which)
    chosen = chosen.order_by(_C.due_at, _C.id).limit(taking.limit)
    picked = chosen.with_for_update(skip_locked=True).cte("picked")
    # A lease that nobody gave back: whoever held it may have handed the message over before it died.
    error = case((picked.c.lease.is_not(None), LEASE_LOST), else_=_C.error)
    values = {"lease": taking.lease, "leased_until": taking.until, "due_at": taking.until, "error": error}
    taken = update(_ROWS).where(_C.id == picked.c.id).values(**values, **taking.values).returning(*_C)
    messages = [OUTBOX.mapping.of(row) for row in connection.execute(taken)]
    return sorted(messages, key=lambda message: (message.created_at, message.id))


class Step(NamedTuple):
    """A message moves on from where it ``was``, under this ``lease`` (None: nobody's), and its events are stored.

    Nothing of it is done when the message stands elsewhere by now. Only what waits keeps its payload.
    """

    id: str
    was: str
    lease: str | None
    status: str
    due_at: int
    gateway: str | None
    reference: str | None
    error: str | None
    done_at: int | None
    events: tuple[Event, ...]


class Steps(Protocol):
    """How one kind of database makes a batch of steps of distinct messages."""

    async def make(self, steps: Sequence[Step]) -> Sequence[bool]:
        """All in one transaction; whether each was made."""
        ...


def steps_on(database: Database) -> Steps:
    """How this database makes them."""
    if database.dialect == "sqlite":
        return SqliteSteps(database)
    from nightlatch.adapters.sql.outbox_postgres import PostgresSteps
    from nightlatch.adapters.sql.postgres import PostgresDatabase

    assert isinstance(database, PostgresDatabase)
    return PostgresSteps(database)


class SqliteSteps:
    """See ``Steps``: one statement a step, since each costs microseconds here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, steps: Sequence[Step]) -> Sequence[bool]:
        """See ``Steps``."""
        return await self._database.write(lambda connection: _make(connection, steps))


_STEP = """
UPDATE outbox SET status = :status, sealed = CASE WHEN :status = 'waiting' THEN sealed END,
  due_at = :due_at, lease = NULL, leased_until = 0, gateway = :gateway, reference = :reference, error = :error,
  done_at = :done_at
WHERE id = :id AND status = :was AND lease IS :lease
"""


def _make(connection: Connection, steps: Sequence[Step]) -> list[bool]:
    made = [connection.exec_driver_sql(_STEP, _bound(step)).rowcount == 1 for step in steps]
    events = [event for step, done in zip(steps, made, strict=True) if done for event in step.events]
    rows = [dict(zip(EVENTS.mapping.names, EVENTS.mapping.row(event), strict=True)) for event in events]
    if rows:
        connection.execute(insert(EVENTS.table), rows)
        connection.execute(
            insert(AUDIT_QUEUE), [{"event_id": row["id"], "at": row["at"], "leaf": row["leaf"]} for row in rows]
        )
    return made


def _bound(step: Step) -> dict[str, Any]:
    bound = step._asdict()
    del bound["events"]
    return bound
