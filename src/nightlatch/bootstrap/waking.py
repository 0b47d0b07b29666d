"""Advisory state and wake-ups: in the process, in the database, or in Valkey, as settings say."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from nightlatch.adapters.memory.wakeups import InProcessWakeUps
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.ephemeral import SqlEphemeral
from nightlatch.config import Settings
from nightlatch.ports.ephemeral import Ephemeral, WakeUps
from nightlatch.ports.world import Clock


async def open_ephemeral(settings: Settings, database: Database, clock: Clock, stack: AsyncExitStack) -> Ephemeral:
    """Where rate windows and hints live."""
    if settings.valkey_url is None:
        kept = SqlEphemeral(database, clock)
        stack.push_async_callback(kept.close)
        return kept
    from nightlatch.adapters.valkey.ephemeral import ValkeyEphemeral

    return ValkeyEphemeral(_valkey(settings.valkey_url, stack))


async def open_wakeups(settings: Settings, database: Database, stack: AsyncExitStack) -> WakeUps:
    """How a waiter in this process hears of what another one did."""
    local = InProcessWakeUps()
    remote: Any
    if settings.valkey_url is not None:
        from nightlatch.adapters.valkey.wakeups import ValkeyWakeUps

        remote = ValkeyWakeUps(local, _valkey(settings.valkey_url, stack))
    elif settings.sqlite:
        # One serving process: everybody who waits is here.
        return local
    else:
        from nightlatch.adapters.sql.postgres import PostgresDatabase
        from nightlatch.adapters.sql.wakeups import PostgresWakeUps

        direct = settings.database_direct_url or settings.database_url
        assert isinstance(database, PostgresDatabase)
        remote = PostgresWakeUps(local, database, direct)
    remote.start()
    stack.push_async_callback(remote.stop)
    wakeups: WakeUps = remote
    return wakeups


def _valkey(url: str, stack: AsyncExitStack) -> Any:
    from nightlatch.adapters.valkey.client import open_valkey

    client = open_valkey(url)
    stack.push_async_callback(client.aclose)
    return client
