"""A database that runs work: the same functions over Core statements, on SQLite's threads or PostgreSQL's pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from nightlatch.adapters.sql.url import SqliteAddress, parse_address

T = TypeVar("T")
Work = Callable[[Connection], T]


class Database(Protocol):
    """Both methods raise ``Unavailable`` when the database does not answer.

    Work may be repeated after a deadlock or a serialization failure, so it does nothing but talk to the database.
    """

    dialect: str

    async def read(self, work: Work[T]) -> T:
        """Run work in one read-only transaction: all its statements see one moment."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run work in one transaction, committed when it returns and rolled back when it raises."""
        ...

    async def close(self) -> None: ...


def open_database(url: str) -> Database:
    """Open the pool for a database that ``migrate_database`` has made. Raises ``BadAddress``."""
    address = parse_address(url)
    if isinstance(address, SqliteAddress):
        from nightlatch.adapters.sql.sqlite import SqliteDatabase

        return SqliteDatabase(address.path)
    # Its driver is an extra: nobody on SQLite needs it.
    from nightlatch.adapters.sql.postgres import PostgresDatabase

    return PostgresDatabase(address)
