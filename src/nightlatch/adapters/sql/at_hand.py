"""Connections for hot statements: a few of the driver's own, kept at hand.

Through SQLAlchemy's pool, to take a connection and put it back costs several times what the driver does for a
statement. And these have settings that would be wrong for anything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

# As many as there are lanes of hot statements: two of loads, commits and steps of messages, one of ids and of wake-ups.
MOST = 8

HOT_SESSION = {
    # Each statement finds its rows by their keys, and is planned once. A plan that was made while a table was small
    # would else read all of it, for each key, until PostgreSQL looks at the table again.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}


class AtHand:
    """``borrow`` one at a time; each is opened when it is needed for the first time, and kept."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], *, patience: float) -> None:
        self._connect = connect
        self._patience = patience
        self._room = asyncio.Semaphore(MOST)
        self._free: list[Any] = []
        self._closed = False

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Any]:
        """A connection for one task. Raises ``TimeoutError`` when none is free for too long."""
        async with asyncio.timeout(self._patience):
            await self._room.acquire()
        try:
            connection = self._taken() or await self._connect()
            try:
                yield connection
            except asyncpg.PostgresError:
                self._put_back(connection)
                raise
            except BaseException:
                # Whatever was under way may still be.
                connection.terminate()
                raise
            self._put_back(connection)
        finally:
            self._room.release()

    async def close(self) -> None:
        """Close those that are free; the others close when they are given back."""
        self._closed = True
        while self._free:
            await self._free.pop().close()

    def _taken(self) -> Any | None:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():  # a broken one has told its end already
                return connection
        return None

    def _put_back(self, connection: Any) -> None:
        if self._closed:
            connection.terminate()
        else:
            self._free.append(connection)
