"""The store alone, without HTTP: python -m benchmarks.store [--profile] [--users N] [--seconds N] [sqlite] [postgresql]

Loads by user name, and the pair that an answer is made of: load, then commit the state of a factor with one event.
Both databases are durable. With --profile the event loop's thread is profiled during the pairs.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from sqlalchemy import text

from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.adapters.sql.migrate import migrate_database
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.domain.records import FactorState
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support import postgres
from tests.support.databases import NOW, an_event, keep_person

CALLERS = 64


async def measure(name: str, step: Callable[[], Awaitable[str]], seconds: float) -> None:
    """Let 64 callers repeat a step, and print what came of it per second."""
    counts: Counter[str] = Counter()
    longest: list[float] = []
    end = time.monotonic() + seconds

    async def repeat() -> None:
        while (began := time.monotonic()) < end:
            counts[await step()] += 1
            longest.append(time.monotonic() - began)

    used = time.process_time()
    await asyncio.gather(*(repeat() for _ in range(CALLERS)))
    longest.sort()
    rates = ", ".join(f"{count / seconds:,.0f}/s {what}" for what, count in sorted(counts.items()))
    p99 = longest[len(longest) * 99 // 100] * 1000
    print(f"  {name}: {rates}; p99 {p99:.1f} ms; {(time.process_time() - used) / seconds:.2f} cores of ours")


async def bench(url: str, users: int, seconds: float, profile: bool) -> None:
    """Fill a database and take the figures."""
    await migrate_database(url, NOW)
    database = open_database(url)
    store = SqlStore(database)
    names = iter([f"user{i}" for i in range(users)])

    async def fill() -> None:
        for name in names:
            await keep_person(store, name)

    began = time.monotonic()
    await asyncio.gather(*(fill() for _ in range(CALLERS)))
    print(f"{database.dialect}: {users:,} people made at {users / (time.monotonic() - began):,.0f}/s")
    await settle(database)

    async def load() -> str:
        await store.load(UserKey(username=f"user{random.randrange(users)}", network="192.0.2.0/24"))
        return "loads"

    async def pair() -> str:
        seen = await store.load(UserKey(username=f"user{random.randrange(users)}", network="192.0.2.0/24"))
        assert seen.user is not None
        state: FactorState = next(iter(seen.states.values()))
        moved = msgspec.structs.replace(state, counter=state.counter + 1, last_used_at=NOW)
        change = Change(root=seen.user.id, expected=seen.version, puts=(moved,), events=(an_event(seen.user),))
        return "pairs" if await store.commit(change) is Outcome.APPLIED else "conflicts"

    await measure("load", load, seconds)
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    await measure("load and commit", pair, seconds)
    if profile:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    await store.close()
    await database.close()


async def settle(database: Database) -> None:
    """Statistics, as a database that lives longer has them."""
    await database.write(lambda connection: connection.execute(text("ANALYZE")))


def main() -> None:
    """Run on the databases that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("databases", nargs="*", default=["sqlite", "postgresql"])
    given = parser.parse_args()
    if "sqlite" in given.databases:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'bench.db'}"
            asyncio.run(bench(url, given.users, given.seconds, given.profile))
    if "postgresql" in given.databases:
        server = postgres.start(durable=True, settings={"shared_buffers": "512MB"}, owner=os.getpid())
        try:
            asyncio.run(bench(server.url(), given.users, given.seconds, given.profile))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
