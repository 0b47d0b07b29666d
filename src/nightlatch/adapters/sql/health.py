"""Questions that only ``doctor`` asks a database."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, text

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.tables import AUDIT_QUEUE, EPHEMERAL, EVENTS

# A commit that was answered must survive a power cut: replay protection rests on it.
_DURABLE = {"fsync": ("on",), "full_page_writes": ("on",), "synchronous_commit": ("on", "remote_apply")}


class _Undo(Exception):
    """Rolls a test write back."""


async def version(database: Database) -> str:
    """What the database calls itself, such as ``PostgreSQL 18.1``."""
    statement = "SELECT sqlite_version()" if database.dialect == "sqlite" else "SHOW server_version"
    number = await database.read(lambda connection: connection.execute(text(statement)).scalar_one())
    return f"{'SQLite' if database.dialect == 'sqlite' else 'PostgreSQL'} {number}"


async def write_and_roll_back(database: Database, key: str) -> None:
    """Write a row and take it back. Raises whatever keeps us from writing."""

    def work(connection: Connection) -> None:
        connection.execute(insert(EPHEMERAL).values(key=key, value=b"", expires_at=0))
        raise _Undo

    try:
        await database.write(work)
    except _Undo:
        return


async def forgetful_settings(database: Database) -> list[str]:
    """Settings of a PostgreSQL server that let it forget what it confirmed."""
    if database.dialect == "sqlite":
        return []

    def work(connection: Connection) -> list[str]:
        settings = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in _DURABLE}
        return [f"{name} = {value}" for name, value in settings.items() if value not in _DURABLE[name]]

    return await database.read(work)


async def clock_of(database: Database) -> int | None:
    """The server's time in µs; None for SQLite, whose clock is ours."""
    if database.dialect == "sqlite":
        return None
    statement = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    return int(await database.read(lambda connection: connection.execute(statement).scalar_one()))


async def newest_event(database: Database) -> int | None:
    """When the newest audit event was written (µs)."""
    statement = select(func.max(EVENTS.table.c.at))
    return await database.read(lambda connection: connection.execute(statement).scalar_one())


async def oldest_unnumbered(database: Database) -> int | None:
    """Since when an audit event waits for its place in the sequence (µs)."""
    statement = select(func.min(AUDIT_QUEUE.c.at))
    return await database.read(lambda connection: connection.execute(statement).scalar_one())
