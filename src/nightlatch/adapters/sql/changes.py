"""A change as the databases take it: rows by table, checked before anybody waits for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from nightlatch.adapters.sql.tables import EVENTS, TABLES, RecordTable
from nightlatch.domain.records import Record
from nightlatch.ports.store import Change

PUT = "put"
NEW = "new"
DELETE = "delete"
Row = list[Any]


class Part(NamedTuple):
    """One kind of write to one table. Parts sort alike in every process, so that statements are shared."""

    table: str
    operation: str


PARTS: dict[Part, RecordTable] = {
    Part(kept.name, operation): kept for kept in TABLES.values() for operation in (DELETE, NEW, PUT)
}
EVENTS_PART = Part(EVENTS.name, NEW)


class Prepared(NamedTuple):
    """A change whose records are rows already. A deleted row is its key alone."""

    root: str
    expected: int
    rows: dict[Part, list[Row]]
    shared: bool


def prepare(change: Change) -> Prepared:
    """Turn records into rows.

    Raises ``Invalid`` for values that no database keeps, and ``ValueError`` for a change that names one row twice:
    what would come of it depends on the order, which one statement does not have.
    """
    rows: dict[Part, list[Row]] = {}
    seen: set[tuple[Any, ...]] = set()
    for operation, records in ((PUT, change.puts), (NEW, change.new), (NEW, change.events), (DELETE, change.deletes)):
        _collect(rows, seen, operation, records)
    return Prepared(change.root, change.expected, rows, change.shared)


def _collect(
    rows: dict[Part, list[Row]], seen: set[tuple[Any, ...]], operation: str, records: Iterable[Record]
) -> None:
    for record in records:
        kept = TABLES[type(record)]
        row = kept.mapping.row(record)
        key = [row[i] for i in kept.key_positions]
        name = (kept.name, *key)
        if name in seen:
            raise ValueError(f"the change names one row of {kept.name} twice")
        seen.add(name)
        rows.setdefault(Part(kept.name, operation), []).append(key if operation == DELETE else row)
