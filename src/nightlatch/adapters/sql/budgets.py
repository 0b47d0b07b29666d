"""The port ``Budgets`` in rows that all nodes share.

A person's own caps are taken one by one, all or none. Those that many people draw on would be one row that everybody
waits for; each process takes them in blocks instead and counts those down by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.tables import BUDGETS
from nightlatch.ports.budgets import Cap
from nightlatch.ports.world import Clock

LARGEST_BLOCK = 16
SHARE = 64
"""A block is at most this part of its cap, so that what dead workers held is little."""

_DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}


class _UsedUp(Exception):
    def __init__(self, cap: Cap) -> None:
        self.cap = cap


class SqlBudgets:
    """See ``ports.budgets.Budgets``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._insert: Any = _DIALECTS[database.dialect].insert
        self._blocks: dict[tuple[str, int], tuple[int, int]] = {}

    async def reserve(self, caps: Sequence[Cap]) -> Cap | None:
        """One of each, or none of the person's own."""
        now = self._clock.now()
        self._forget(now)
        own = [cap for cap in caps if not cap.shared]
        # In one order everywhere, so that no two wait for each other.
        own.sort(key=lambda cap: (cap.key, cap.window))
        short = [cap for cap in caps if cap.shared and not self._held(cap, now)]
        short.sort(key=lambda cap: (cap.key, cap.window))
        try:
            taken = await self._database.write(lambda connection: self._take(connection, own, short, now))
        except _UsedUp as over:
            return over.cap
        for cap, amount in zip(short, taken, strict=True):
            self._add(cap, now, amount)
        # Others of this process may have drawn on a block meanwhile.
        for cap in caps:
            if cap.shared and not self._held(cap, now):
                return cap
        for cap in caps:
            if cap.shared:
                self._add(cap, now, -1)
        return None

    async def full(self, caps: Sequence[Cap]) -> Cap | None:
        """What this process still holds of a block is left to it."""
        now = self._clock.now()
        asked = [cap for cap in caps if not (cap.shared and self._held(cap, now))]
        used = await self.used(asked)
        return next((cap for cap, taken in zip(asked, used, strict=True) if taken >= cap.limit), None)

    async def used(self, caps: Sequence[Cap]) -> Sequence[int]:
        """Blocks count as used."""
        now = self._clock.now()

        def read(connection: Connection) -> list[int]:
            row = BUDGETS.c
            asked = [select(row.used).where(row.key == _key(cap), row.window_start == _start(cap, now)) for cap in caps]
            return [int(connection.execute(statement).scalar() or 0) for statement in asked]

        return await self._database.read(read)

    def _take(self, connection: Connection, own: Sequence[Cap], short: Sequence[Cap], now: int) -> list[int]:
        for cap in own:
            if not self._took(connection, cap, 1, now):
                raise _UsedUp(cap)
        return [self._took_block(connection, cap, now) for cap in short]

    def _took_block(self, connection: Connection, cap: Cap, now: int) -> int:
        block = max(1, min(LARGEST_BLOCK, cap.limit // SHARE))
        for amount in (block, 1):
            if self._took(connection, cap, amount, now):
                return amount
        raise _UsedUp(cap)

    def _took(self, connection: Connection, cap: Cap, amount: int, now: int) -> bool:
        """Whether so much was left; then it is taken. One statement: of many at once no two take the last."""
        if amount > cap.limit:
            return False
        start = _start(cap, now)
        new = self._insert(BUDGETS).values(
            key=_key(cap), window_start=start, used=amount, expires_at=start + 2 * cap.window
        )
        take = new.on_conflict_do_update(
            index_elements=["key", "window_start"],
            set_={"used": BUDGETS.c.used + amount},
            where=BUDGETS.c.used + amount <= cap.limit,
        )
        return connection.execute(take.returning(BUDGETS.c.used)).first() is not None

    def _held(self, cap: Cap, now: int) -> bool:
        return self._blocks.get((_key(cap), _start(cap, now)), (0, 0))[0] > 0

    def _add(self, cap: Cap, now: int, amount: int) -> None:
        place = (_key(cap), _start(cap, now))
        left, _ = self._blocks.get(place, (0, 0))
        self._blocks[place] = (left + amount, place[1] + cap.window)

    def _forget(self, now: int) -> None:
        """What was held in a window that is over is lost, as it is when a worker dies."""
        over = [place for place, (_, ends) in self._blocks.items() if ends <= now]
        for place in over:
            del self._blocks[place]


def _key(cap: Cap) -> str:
    return f"{cap.key}/{cap.window}"


def _start(cap: Cap, now: int) -> int:
    return now - now % cap.window
