"""Gives every committed event its place: ``audit_queue`` → ``audit_log``, gapless.

Ids commit out of order, so a reader that follows ids misses rows. Here one process at a time (an advisory lock; on
SQLite the writing thread and the write lock of the file) takes what is committed and numbers it.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, text

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.locks import SEQUENCER_LOCK
from nightlatch.adapters.sql.periodic import Periodic
from nightlatch.adapters.sql.tables import AUDIT_LOG, AUDIT_QUEUE
from nightlatch.domain.time import SECOND

ROWS = 1_000
# How late a list of events may be when nobody writes; under load the next run follows at once.
EVERY = SECOND // 5


class Sequencer:
    """``start`` keeps it running beside everything else; ``run_once`` is for tests and the command line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._periodic = Periodic("sequencer", self.run_once, every=EVERY, full=ROWS)

    async def run_once(self) -> int:
        """Number at most a thousand events; 0 when there are none or another process is at it."""
        if await self._database.read(_is_empty):
            return 0
        return await self._database.write(_move)

    async def drain(self) -> int:
        """Number everything that is committed now."""
        total = 0
        while moved := await self.run_once():
            total += moved
        return total

    def start(self) -> None:
        """Run until ``stop``, on this event loop."""
        self._periodic.start()

    async def stop(self) -> None:
        """End after the run that is under way."""
        await self._periodic.stop()


def _is_empty(connection: Connection) -> bool:
    return connection.execute(select(AUDIT_QUEUE.c.n).limit(1)).first() is None


def _move(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        # Until the end of this transaction. The next statement sees all that the last holder committed.
        locked = connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SEQUENCER_LOCK})
        if not locked.scalar_one():
            return 0
    queue = AUDIT_QUEUE.c
    rows = connection.execute(select(queue.n, queue.event_id, queue.at, queue.leaf).order_by(queue.n).limit(ROWS)).all()
    if not rows:
        return 0
    last = connection.execute(select(func.coalesce(func.max(AUDIT_LOG.c.seq), 0))).scalar_one()
    connection.execute(
        insert(AUDIT_LOG),
        [
            {"seq": last + place, "event_id": row.event_id, "event_at": row.at, "leaf": row.leaf}
            for place, row in enumerate(rows, 1)
        ],
    )
    connection.execute(delete(AUDIT_QUEUE).where(queue.n.in_([row.n for row in rows])))
    return len(rows)
