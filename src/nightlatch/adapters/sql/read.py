"""Core statements over record tables, read back as records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, select

from nightlatch.adapters.sql.tables import TABLES, RecordTable
from nightlatch.domain.records import Record

R = TypeVar("R", bound=Record)


def pick(*records: type[Record], also: Sequence[Any] = ()) -> Select[Any]:
    """Select every column of these tables, and these others behind them."""
    return select(*(column for record in records for column in TABLES[record].table.c), *also)


def fetch(connection: Connection, record: type[R], statement: Select[Any]) -> list[R]:
    """The records of a statement that began with ``pick(record)``."""
    mapping = TABLES[record].mapping
    width = len(mapping.names)
    return [mapping.of(row[:width]) for row in connection.execute(statement)]


def cut(row: Sequence[Any], *kept: RecordTable) -> Iterator[Any]:
    """The records side by side in a row; None where an outer join found none."""
    at = 0
    for table in kept:
        values = row[at : (at := at + len(table.mapping.names))]
        yield None if values[0] is None else table.mapping.of(values)
