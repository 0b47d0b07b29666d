"""A process that counts until it is killed: `python writer.py URL USERNAME…`, a line for every change applied."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.ports.store import Outcome
from tests.support import databases


async def main(url: str, *names: str) -> None:
    """Count for all of them at once."""
    store = SqlStore(open_database(url))

    async def count(name: str) -> None:
        while True:
            if await databases.count_one_more(store, name) is Outcome.APPLIED:
                print(name, flush=True)

    await asyncio.gather(*(count(name) for name in names for _ in range(2)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
