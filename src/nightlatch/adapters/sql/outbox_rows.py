"""Statements over the rows of the outbox: take, mark, and the events that go with it.

A take moves ``due_at`` to the end of its lease, so that the index of what is due holds nothing that is under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, case, insert, literal_column, null, select, update

from nightlatch.adapters.sql.tables import AUDIT_QUEUE, EVENTS, OUTBOX
from nightlatch.domain.records import Event, MessageStatus, OutboxMessage
from nightlatch.ports.outbox import LEASE_LOST, Mark

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
    chosen = select(_C.id, _C.lease, _C.due_at).where(WAITING, _C.due_at <= taking.now, *which)
    chosen = chosen.order_by(_C.due_at, _C.id).limit(taking.limit)
    picked = chosen.with_for_update(skip_locked=True).cte("picked")
    # A lease that nobody gave back: whoever held it may have handed the message over before it died.
    error = case((picked.c.lease.is_not(None), LEASE_LOST), else_=_C.error)
    values = {"lease": taking.lease, "leased_until": taking.until, "due_at": taking.until, "error": error}
    taken = update(_ROWS).where(_C.id == picked.c.id).values(**values, **taking.values).returning(*_C)
    messages = [OUTBOX.mapping.of(row) for row in connection.execute(taken)]
    return sorted(messages, key=lambda message: (message.created_at, message.id))


def store_marks(connection: Connection, marks: Sequence[Mark], now: int) -> list[bool]:
    """Store them with their events; whether each was still held."""
    named = select(_C.id, _C.lease).where(_C.id.in_([mark.id for mark in marks]), WAITING)
    rows = connection.execute(named.order_by(_C.id).with_for_update())
    leases: dict[str, str | None] = {row.id: row.lease for row in rows}
    held = [mark for mark in marks if leases.get(mark.id) == mark.lease]
    if held:
        connection.execute(_MARK, [_marked(mark, now) for mark in held])
        add_events(connection, [event for mark in held for event in mark.events])
    return [leases.get(mark.id) == mark.lease for mark in marks]


def add_events(connection: Connection, events: Iterable[Event]) -> None:
    """Insert audit events and their places in the queue, as a change does."""
    rows = [dict(zip(EVENTS.mapping.names, EVENTS.mapping.row(event), strict=True)) for event in events]
    if rows:
        connection.execute(insert(EVENTS.table), rows)
        queued = [{"event_id": row["id"], "at": row["at"], "leaf": row["leaf"]} for row in rows]
        connection.execute(insert(AUDIT_QUEUE), queued)


_KEPT = bindparam("kept", type_=_C.leased_until.type) == 1
_MARK = (
    update(_ROWS)
    .where(_C.id == bindparam("which"))
    .values(
        status=bindparam("status"),
        sealed=case((_KEPT, _C.sealed), else_=null()),
        due_at=case((_KEPT, bindparam("due_at")), else_=_C.due_at),
        lease=null(),
        leased_until=0,
        gateway=bindparam("gateway"),
        reference=bindparam("reference"),
        error=bindparam("error"),
        done_at=bindparam("done_at"),
    )
)


def _marked(mark: Mark, now: int) -> dict[str, Any]:
    waits = mark.status is MessageStatus.WAITING
    return {
        "which": mark.id,
        "kept": int(waits),
        "status": mark.status.value,
        "due_at": mark.due_at,
        "gateway": mark.gateway,
        "reference": mark.reference,
        "error": mark.error,
        "done_at": None if waits else now,
    }
