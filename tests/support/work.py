"""Work that is done for a request, counted where it is done: statements at the driver, hashes at the hasher."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from nightlatch.adapters.cache import CachedCatalog, CachedPolicies, FreshStore, Shared
from nightlatch.adapters.keys import KeyRing
from nightlatch.ports.keys import SlowHasher
from tests.support.ports import World, open_world


@dataclass
class Work:
    """What was done since it was last asked for."""

    statements: list[str] = field(default_factory=list)
    hashes: int = 0

    def listen(self, connection: Any, _record: object) -> None:
        """Note every statement of a new connection, as its driver sends it."""
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(self.statements.append)
        else:
            connection.driver_connection.add_query_logger(lambda query: self.statements.append(query.query))

    async def taken(self) -> tuple[int, int]:
        """Statements and hashes, and begin again."""
        await asyncio.sleep(0.01)  # PostgreSQL's driver tells a moment later
        done = len(self.statements), self.hashes
        self.statements.clear()
        self.hashes = 0
        return done


@dataclass
class CountingHasher:
    """The real hasher; its work is noted."""

    hasher: SlowHasher
    work: Work

    async def hash(self, text: str) -> str:
        """As the hasher does."""
        self.work.hashes += 1
        return await self.hasher.hash(text)

    async def verify(self, hashed: str, text: str) -> bool:
        """As the hasher does."""
        self.work.hashes += 1
        return await self.hasher.verify(hashed, text)

    async def dummy(self) -> None:
        """As the hasher does."""
        self.work.hashes += 1
        await self.hasher.dummy()


async def remember(world: World) -> None:
    """Keep policy and applications at hand as a server does, for as long as the clock stands still."""
    ring = world.ports.sealer
    assert isinstance(ring, KeyRing)
    shared = Shared(world.ports.catalog, world.clock)
    catalog = CachedCatalog(world.ports.catalog, shared)
    store = FreshStore(world.ports.store, shared, ring.knows)
    world.ports = replace(world.ports, store=store, catalog=catalog, policies=CachedPolicies(catalog))
    await shared.look()


@pytest.fixture
async def watched(database_url: str) -> AsyncIterator[tuple[World, Work]]:
    """Use cases on each kind of database in turn, watched."""
    work = Work()
    event.listen(Pool, "connect", work.listen)
    try:
        async with open_world(database_url) as world:
            await remember(world)
            world.ports = replace(world.ports, hasher=CountingHasher(world.ports.hasher, work))
            yield world, work
    finally:
        event.remove(Pool, "connect", work.listen)
