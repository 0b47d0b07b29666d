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


# One statement, so that what is numbered is exactly what leaves the queue: two would each see a moment of their own,
# and a smaller ``n`` may be committed between them.
_MOVE = text("""
WITH next AS MATERIALIZED (
  SELECT n, event_id, at, leaf FROM audit_queue ORDER BY n LIMIT :rows
), gone AS (
  DELETE FROM audit_queue USING next WHERE audit_queue.n = next.n
)
INSERT INTO audit_log (seq, event_id, event_at, leaf)
SELECT (SELECT coalesce(max(seq), 0) FROM audit_log) + row_number() OVER (ORDER BY n), event_id, at, leaf FROM next
""")


def _move(connection: Connection) -> int:
    return _move_postgres(connection) if connection.dialect.name == "postgresql" else _move_sqlite(connection)


def _move_postgres(connection: Connection) -> int:
    # Until the end of this transaction. The next statement sees all that the last holder committed.
    locked = connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SEQUENCER_LOCK})
    return connection.execute(_MOVE, {"rows": ROWS}).rowcount if locked.scalar_one() else 0


def _move_sqlite(connection: Connection) -> int:
    """The write lock is ours: nothing is committed between these statements."""
    queue, log = AUDIT_QUEUE.c, AUDIT_LOG.c
    oldest = select(queue.n).order_by(queue.n).limit(ROWS)
    last = select(func.coalesce(func.max(log.seq), 0)).scalar_subquery()
    place = last + func.row_number().over(order_by=queue.n)
    rows = select(place, queue.event_id, queue.at, queue.leaf).where(queue.n.in_(oldest)).order_by(queue.n)
    moved = connection.execute(insert(AUDIT_LOG).from_select(["seq", "event_id", "event_at", "leaf"], rows)).rowcount
    connection.execute(delete(AUDIT_QUEUE).where(queue.n.in_(oldest)))
    return moved
