"""Wake-ups of many processes over LISTEN/NOTIFY: one connection a process, outside of the pool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import asyncpg

from nightlatch.adapters.sql.coalescer import Coalescer
from nightlatch.adapters.sql.postgres import PostgresDatabase, connect
from nightlatch.adapters.sql.url import PostgresAddress, parse_address
from nightlatch.domain.errors import Unavailable
from nightlatch.ports.ephemeral import LocalWakeUps, Subscription

CHANNEL = "nightlatch_wake"
# PostgreSQL lets one transaction at a time notify, in all its databases: so one statement for all who notify meanwhile.
BATCH = 256
# A connection that says nothing may be gone without a word (a pulled cable): ask, and listen anew when no answer comes.
SECONDS_OF_SILENCE = 10.0
SECONDS_TO_ANSWER = 5.0
SECONDS_BETWEEN_TRIES = 1.0

_log = logging.getLogger("nightlatch.wakeups")


class PostgresWakeUps:
    """See ``ports.ephemeral.WakeUps``. ``direct_url`` goes past any pooler, which would take LISTEN away."""

    def __init__(self, local: LocalWakeUps, database: PostgresDatabase, direct_url: str) -> None:
        address = parse_address(direct_url)
        if not isinstance(address, PostgresAddress):
            raise TypeError("LISTEN needs a postgresql:// URL")
        self._local = local
        self._database = database
        self._address = address
        self._sending = Coalescer[str, None](self._send, limit=BATCH, lanes=1)
        self._task: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()

    async def notify(self, key: str) -> None:
        """Wake whoever waits for this key, in any process. A hint: when it cannot be sent, they look by themselves."""
        self._local.wake(key)
        try:
            await self._sending.submit(key)
        except Unavailable:
            _log.warning("a wake-up could not be sent: the database does not answer")

    def subscribe(self, key: str) -> AbstractAsyncContextManager[Subscription]:
        """From here on no wake of this key is missed while the connection holds."""
        return self._local.subscribe(key)

    def start(self) -> None:
        """Listen until ``stop``, on this event loop; connect again whenever the connection is lost."""
        self._task = asyncio.create_task(self._listen(), name="wakeups")

    async def stop(self) -> None:
        """Send what is to be sent, and listen no more."""
        await self._sending.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _send(self, keys: Sequence[str]) -> Sequence[None]:
        async with self._database.driver() as connection:
            await connection.execute("SELECT pg_notify($1, key) FROM unnest($2::text[]) AS key", CHANNEL, keys)
        return [None] * len(keys)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("wake-ups: connection lost (%s); trying again", type(error).__name__)
            self.listening.clear()
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)

    async def _listen_once(self) -> None:
        connection = await connect(self._address)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            # What came while nobody listened is unknown.
            self._local.wake_all()
            self.listening.set()
            while not lost.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), SECONDS_OF_SILENCE)
                    return
                await connection.execute("SELECT 1", timeout=SECONDS_TO_ANSWER)
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _process: int, _channel: str, payload: str) -> None:
        self._local.wake(payload)
