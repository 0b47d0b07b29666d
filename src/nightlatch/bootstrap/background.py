"""What runs beside requests, in every process that serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nightlatch.adapters.cache import Shared
from nightlatch.adapters.cache.shared import LOOK_EVERY
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.periodic import Periodic
from nightlatch.adapters.sql.retention import Retention
from nightlatch.adapters.sql.sequencer import Sequencer
from nightlatch.ports.world import Clock


@asynccontextmanager
async def background(database: Database, shared: Shared, sequencer: Sequencer, clock: Clock) -> AsyncIterator[None]:
    """Watch what others change, number the audit events, sweep what is over its time.

    Each does what other processes leave it: who numbers or sweeps is decided by locks.
    """

    async def look() -> int:
        await shared.look()
        return 0

    running = (
        Periodic("generation", look, every=LOOK_EVERY, full=1),
        sequencer,
        Retention(database, clock),
    )
    for part in running:
        part.start()
    try:
        yield
    finally:
        for part in running:
            await part.stop()
        await sequencer.drain()
