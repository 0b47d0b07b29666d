"""SQLite: one writing thread, two reading threads, none of them the event loop's.

The single writing thread is the first-in-first-out lock of this process: batches and units of work take turns, and
nothing but the database is waited for inside. Other processes wait at ``BEGIN IMMEDIATE``.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, exc
from sqlalchemy.pool import QueuePool

from nightlatch.adapters.sql.engine import Work
from nightlatch.domain.errors import Unavailable

T = TypeVar("T")
READERS = 2
# How long to wait for another process, such as the command line in a migration, before we say that we cannot.
BUSY_MILLISECONDS = 5_000
STATEMENTS_KEPT = 512
OLDEST = (3, 35, 0)  # RETURNING

# Primary result codes (sqlite.org/rescode.html) that tell about the machine and not about the statement.
_MACHINE = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB,
    }
)  # fmt: skip


class SqliteDatabase:
    """The threads and connections of one file. Raises ``Unavailable`` at first use when there is none."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old: Nightlatch needs 3.35")
        self._writer = engine_for(path)
        self._reader = engine_for(path, readers=READERS)
        self._writing = ThreadPoolExecutor(1, "sqlite-writer")
        self._reading = ThreadPoolExecutor(READERS, "sqlite-reader")
        self._gave_up_at = -1.0

    async def read(self, work: Work[T]) -> T:
        """See ``Database``."""
        return await self._run(self._reading, partial(_within, self._reader, work))

    async def write(self, work: Work[T]) -> T:
        """See ``Database``."""
        return await self._run(self._writing, self._in_turn(partial(_within, self._writer, work)))

    async def raw_read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run hot statements on a reading thread, on the driver's connection out of the same pool."""
        return await self._run(self._reading, partial(_borrow, self._reader, work))

    async def raw_write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run hot statements on the writing thread; the work begins and ends its own transactions."""
        return await self._run(self._writing, self._in_turn(partial(_borrow, self._writer, work)))

    async def close(self) -> None:
        """Finish what runs and close the files."""
        for threads, engine in ((self._writing, self._writer), (self._reading, self._reader)):
            await asyncio.to_thread(threads.shutdown)
            engine.dispose()

    def _in_turn(self, work: Callable[[], T]) -> Callable[[], T]:
        """The work, unless one before it gave up on another process's lock while it waited: whoever stands in this
        line then hears of it at once, and not after five seconds for each that stood before them.
        """
        since = time.monotonic()

        def run() -> T:
            if since <= self._gave_up_at:
                raise Unavailable
            try:
                return work()
            except Unavailable as error:
                if is_busy(error.__cause__):
                    self._gave_up_at = time.monotonic()
                raise

        return run

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(threads, work)
        except RuntimeError as error:
            raise Unavailable("The database is closed.") from error
        return await running


def engine_for(path: Path, *, readers: int = 0) -> Engine:
    """An engine over a file that must exist; with ``readers`` its connections cannot write."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,  # we say BEGIN ourselves, and mean IMMEDIATE
            check_same_thread=False,
            cached_statements=STATEMENTS_KEPT,
        )
        try:
            _configure(connection, reading=bool(readers))
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=readers or 1, max_overflow=0)
    begin = "BEGIN" if readers else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _configure(connection: sqlite3.Connection, *, reading: bool) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise Unavailable(f"SQLite cannot keep a write-ahead log here (mode {mode}); use a local file system.")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    if reading:
        connection.execute("PRAGMA query_only = ON")


def _within(engine: Engine, work: Work[T]) -> T:
    with translated(), engine.begin() as connection:
        return work(connection)


def _borrow(engine: Engine, work: Callable[[sqlite3.Connection], T]) -> T:
    with translated():
        fairy = engine.raw_connection()
        try:
            driver: Any = fairy.driver_connection
            return work(driver)
        finally:
            fairy.close()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the machine lacks into ``Unavailable``; what the statement got wrong passes."""
    try:
        yield
    except exc.DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error) and is_machine(error.orig):
            raise Unavailable from error
        raise
    except sqlite3.Error as error:
        if is_machine(error):
            raise Unavailable from error
        raise
    except exc.TimeoutError as error:
        raise Unavailable from error


def is_machine(error: sqlite3.Error) -> bool:
    """Whether the error is of the file, the disk or the lock, so that the outcome is not known to be ours."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _MACHINE


def is_busy(error: BaseException | None) -> bool:
    """Whether another process held the file for longer than we wait."""
    error = error.orig if isinstance(error, exc.DBAPIError) else error
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
