"""PostgreSQL: a pool for units of work, and beside it connections that hot statements have at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import event, exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from nightlatch.adapters.sql.at_hand import HOT_SESSION, AtHand
from nightlatch.adapters.sql.engine import Work
from nightlatch.adapters.sql.url import PostgresAddress
from nightlatch.domain.errors import Unavailable

T = TypeVar("T")

# A process has few connections: those at hand for the hot path, and these for everything else. Each is opened when it
# is needed for the first time, and kept: to open one costs both sides many times what its statements do.
POOL_SIZE = 8
SECONDS_FOR_A_CONNECTION = 5.0
# A statement that takes longer has lost its caller; the driver cancels it and we say that we do not know.
SECONDS_FOR_A_STATEMENT = 5.0
ATTEMPTS = 4

DEADLOCK = "40P01"
SERIALIZATION = "40001"
# Classes of SQLSTATE (PostgreSQL manual, appendix A) that tell about the server and not about the statement:
# connection, resources, operator intervention, system; and a standby that we were led to.
_MACHINE_CLASSES = ("08", "53", "57", "58", "F0", "XX")
_MACHINE_CODES = ("25006", "3D000", "28000", "28P01")

_SESSION = {
    # The compare-and-set is written for it; a server may have another default.
    "default_transaction_isolation": "read committed",
    # Compiling a point look-up costs a hundred times what it saves.
    "jit": "off",
    "timezone": "UTC",
}


class PostgresDatabase:
    """The pool of one server."""

    dialect = "postgresql"

    def __init__(self, address: PostgresAddress) -> None:
        self._engine = engine_for(address)
        self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._hot = AtHand(
            lambda: connect(address, session={**_SESSION, **HOT_SESSION}), patience=SECONDS_FOR_A_CONNECTION
        )
        self._closed = False

    async def read(self, work: Work[T]) -> T:
        """See ``Database``."""
        with translated():
            self._refuse_closed()
            async with self._reading.connect() as connection:
                return await connection.run_sync(work)

    async def write(self, work: Work[T]) -> T:
        """See ``Database``."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with translated():
                    self._refuse_closed()
                    async with self._engine.begin() as connection:
                        return await connection.run_sync(work)
            except exc.DBAPIError as error:
                if attempt == ATTEMPTS or not is_transient(error.orig):
                    raise
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """The driver's own connection, for hot statements that each are a transaction."""
        self._refuse_closed()
        with translated():
            async with self._hot.borrow() as connection:
                yield connection

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        await self._hot.close()
        await self._engine.dispose()

    def _refuse_closed(self) -> None:
        if self._closed:  # the pool itself would begin anew
            raise Unavailable("The database is closed.")


def engine_for(
    address: PostgresAddress,
    *,
    pool_size: int = POOL_SIZE,
    seconds_for_a_statement: float | None = SECONDS_FOR_A_STATEMENT,
) -> AsyncEngine:
    """A pool whose connections are checked before each use, at no cost: a broken one has told its end already."""

    async def make(*_: Any, **__: Any) -> Any:
        return await connect(address, seconds_for_a_statement)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=make,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=SECONDS_FOR_A_CONNECTION,
        connect_args={"prepared_statement_cache_size": address.statements_kept},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


async def connect(
    address: PostgresAddress,
    seconds_for_a_statement: float | None = SECONDS_FOR_A_STATEMENT,
    *,
    session: Mapping[str, str] = _SESSION,
) -> Any:
    """A connection of one's own."""
    return await asyncpg.connect(
        address.dsn,
        timeout=address.seconds_to_connect,
        command_timeout=seconds_for_a_statement,
        statement_cache_size=address.statements_kept,
        max_cacheable_statement_size=0,
        # A pooler that mixes sessions refuses parameters that it does not follow.
        server_settings=dict(session) if address.statements_kept else None,
    )


def _refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    if dbapi_connection.driver_connection.is_closed():
        raise exc.DisconnectionError("the server closed this connection")


@contextmanager
def translated() -> Iterator[None]:
    """Turn a server that does not answer into ``Unavailable``; what the statement got wrong passes."""
    try:
        yield
    except exc.DBAPIError as error:
        if error.connection_invalidated or is_machine(error.orig):
            raise Unavailable from error
        raise
    except (OSError, TimeoutError, exc.TimeoutError, exc.DisconnectionError) as error:
        raise Unavailable from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if is_machine(error):
            raise Unavailable from error
        raise


def is_machine(error: BaseException | None) -> bool:
    """Whether the error is of the connection or the server, so that the outcome may be unknown."""
    state = sqlstate(error)
    if state is not None:
        return state.startswith(_MACHINE_CLASSES) or state in _MACHINE_CODES
    return isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.InternalClientError)


def is_transient(error: BaseException | None) -> bool:
    """Whether the same statement may succeed when repeated: it was chosen as the victim of a deadlock."""
    return sqlstate(error) in (DEADLOCK, SERIALIZATION)


def sqlstate(error: BaseException | None) -> str | None:
    """The five characters that the server gave, if the error came from the server."""
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None
