"""Wake-ups of many nodes over Valkey's publish and subscribe: one connection a process."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

from nightlatch.adapters.valkey.client import translated
from nightlatch.domain.errors import Unavailable
from nightlatch.ports.ephemeral import LocalWakeUps, Subscription

CHANNEL = "nightlatch:wake"
SECONDS_OF_SILENCE = 10.0
SECONDS_BETWEEN_TRIES = 1.0

_log = logging.getLogger("nightlatch.wakeups")


class ValkeyWakeUps:
    """See ``ports.ephemeral.WakeUps``."""

    def __init__(self, local: LocalWakeUps, client: Any) -> None:
        self._local = local
        self._client = client
        self._task: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()

    async def notify(self, key: str) -> None:
        """Wake whoever waits for this key, on any node. A hint: when it cannot be sent, they look by themselves."""
        self._local.wake(key)
        try:
            with translated():
                await self._client.publish(CHANNEL, key)
        except Unavailable:
            _log.warning("a wake-up could not be sent: Valkey does not answer")

    def subscribe(self, key: str) -> AbstractAsyncContextManager[Subscription]:
        """From here on no wake of this key is missed while the connection holds."""
        return self._local.subscribe(key)

    def start(self) -> None:
        """Listen until ``stop``, on this event loop; connect again whenever the connection is lost."""
        self._task = asyncio.create_task(self._listen(), name="wakeups")

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen(self) -> None:
        while True:
            try:
                with translated():
                    await self._listen_once()
            except Unavailable as error:
                _log.warning("wake-ups: connection lost (%s); trying again", type(error.__cause__).__name__)
            self.listening.clear()
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)

    async def _listen_once(self) -> None:
        async with self._client.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            while True:
                # The client asks by itself (health check) when it heard nothing for a while.
                message = await channel.get_message(timeout=SECONDS_OF_SILENCE)
                if message is None:
                    await channel.ping()
                elif message["type"] == "subscribe":
                    # What came while nobody listened is unknown.
                    self._local.wake_all()
                    self.listening.set()
                elif message["type"] == "message":
                    self._local.wake(message["data"].decode())
