"""Whether a PostgreSQL address lets us do what a pooler in between may take away."""

from __future__ import annotations

import asyncio

from nightlatch.adapters.sql.postgres import PostgresDatabase
from nightlatch.adapters.sql.url import PostgresAddress
from nightlatch.adapters.sql.wakeups import PostgresWakeUps
from nightlatch.domain.time import SECOND
from nightlatch.ports.ephemeral import LocalWakeUps

SECONDS_TO_LISTEN = 5.0
ROUNDS = 5
AT_ONCE = 3


async def prepared_statements_work(address: PostgresAddress) -> bool:
    """Whether statements that were prepared in one transaction are there in the next.

    PgBouncer in transaction mode before 1.21, or with ``max_prepared_statements`` 0, loses them.
    """
    database = PostgresDatabase(address)

    async def ask(number: int) -> bool:
        async with database.driver() as connection:
            return bool(await connection.fetchval("SELECT $1::int", number) == number)

    try:
        for round_ in range(ROUNDS):
            answers = await asyncio.gather(*(ask(round_ + place) for place in range(AT_ONCE)), return_exceptions=True)
            if not all(answer is True for answer in answers):
                return False
    finally:
        await database.close()
    return True


async def wakeups_arrive(
    listening: LocalWakeUps, other: LocalWakeUps, address: PostgresAddress, direct_url: str
) -> bool:
    """Whether what one process notifies through the pool wakes another that listens directly."""
    database = PostgresDatabase(address)
    listener = PostgresWakeUps(listening, database, direct_url)
    listener.start()
    try:
        await asyncio.wait_for(listener.listening.wait(), SECONDS_TO_LISTEN)
        async with listener.subscribe("doctor") as changed:
            # What came while it connected has woken everybody already.
            await changed.wait(0)
            await PostgresWakeUps(other, database, direct_url).notify("doctor")
            return await changed.wait(int(SECONDS_TO_LISTEN * SECOND))
    except TimeoutError:
        return False
    finally:
        await listener.stop()
        await database.close()
