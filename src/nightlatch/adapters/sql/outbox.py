"""The port ``Outbox``: messages as rows that all processes share.

Roots are never touched: the dispatcher and the requests of a user do not wait for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import func, null, select, update
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from nightlatch.adapters.sql.coalescer import Coalescer
from nightlatch.adapters.sql.engine import Database, Work
from nightlatch.adapters.sql.outbox_receipts import Told, read_kept, receive, settle
from nightlatch.adapters.sql.outbox_rows import WAITING, Taking, store_marks, take
from nightlatch.adapters.sql.read import fetch, pick
from nightlatch.adapters.sql.tables import OUTBOX
from nightlatch.domain.errors import Unavailable
from nightlatch.domain.records import Channel, OutboxMessage
from nightlatch.ports.outbox import Mark, Receipt, Tell
from nightlatch.ports.world import Clock, Entropy

T = TypeVar("T")

# What one transaction stores: marks and receipts come one by one, from hand-overs that run side by side.
BATCH = 64
# A gateway took the message, so its mark is worth some patience: without one it would be sent again.
SECONDS_FOR_A_MARK = 8
LEASE_BYTES = 12

_C = OUTBOX.table.c


class SqlOutbox:
    """See ``ports.outbox.Outbox``. Belongs to one event loop; close it before the database."""

    def __init__(self, database: Database, clock: Clock, entropy: Entropy) -> None:
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._marks = Coalescer[Mark, bool](self._store_marks, limit=BATCH, lanes=1, key_of=lambda mark: mark.id)
        self._receipts = Coalescer[Told, OutboxMessage | None](self._store_receipts, limit=BATCH, lanes=1)

    async def claim(self, channel: Channel, *, limit: int, lease: int) -> Sequence[OutboxMessage]:
        """One statement; rows that another claim has locked are passed over."""
        now = self._clock.now()
        taking = self._taking(now, limit, lease, {"attempts": _C.attempts + 1})
        return await self._database.write(
            partial(take, taking=taking, which=(_C.channel == channel.value, _C.expires_at > now))
        )

    async def lapse(self, *, limit: int, lease: int) -> Sequence[OutboxMessage]:
        """The same for what is too old; its payload goes at once."""
        now = self._clock.now()
        taking = self._taking(now, limit, lease, {"sealed": null()})
        every = _C.channel.in_([channel.value for channel in Channel])
        return await self._database.write(partial(take, taking=taking, which=(every, _C.expires_at <= now)))

    def _taking(self, now: int, limit: int, lease: int, values: Mapping[str, Any]) -> Taking:
        return Taking(now, limit, now + lease, self._entropy.bytes(LEASE_BYTES).hex(), values)

    async def mark(self, marks: Sequence[Mark]) -> int:
        """Stored together with what others mark at this moment."""
        return sum(await asyncio.gather(*map(self._mark, marks)))

    @retry(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_after_delay(SECONDS_FOR_A_MARK),
        wait=wait_random_exponential(multiplier=0.1, max=1),
        reraise=True,
    )
    async def _mark(self, mark: Mark) -> bool:
        # Repeated after an unknown outcome, a mark that was stored finds its lease given back and changes nothing.
        return await self._marks.submit(mark)

    async def receive(self, receipts: Sequence[Receipt], tell: Tell) -> Sequence[OutboxMessage]:
        """Stored together with what others receive at this moment."""
        moved = await asyncio.gather(*(self._receipts.submit(Told(receipt, tell)) for receipt in receipts))
        return [message for message in moved if message is not None]

    async def settle(self, tell: Tell) -> Sequence[OutboxMessage]:
        """Look through the kept receipts, which are few and young."""
        moved: list[OutboxMessage] = []
        after = ""
        while page := await self._database.read(partial(read_kept, after=after, now=self._clock.now())):
            after = page[-1].key
            work = partial(settle, kept=page, tell=tell, now=self._clock.now())
            moved += await self._database.write(work)
        return moved

    async def reseal(self, message: OutboxMessage, sealed: bytes) -> bool:
        """Compares with what is there, which is erased when the message was sent meanwhile."""
        same = update(OUTBOX.table).where(_C.id == message.id, _C.sealed == message.sealed).values(sealed=sealed)
        return await self._database.write(lambda connection: connection.execute(same).rowcount) == 1

    async def look(self, ids: Sequence[str]) -> Sequence[OutboxMessage]:
        """By primary key, in order of id."""
        statement = pick(OutboxMessage).where(_C.id.in_(ids)).order_by(_C.id)
        return await self._database.read(lambda connection: fetch(connection, OutboxMessage, statement))

    async def waiting(self) -> Mapping[Channel, int]:
        """By channel, those under way included."""
        statement = select(_C.channel, func.count()).where(WAITING).group_by(_C.channel)
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return dict.fromkeys(Channel, 0) | {Channel(channel): count for channel, count in rows}

    async def close(self) -> None:
        """Finish what was begun and take no more."""
        await self._marks.close()
        await self._receipts.close()

    async def _store_marks(self, marks: Sequence[Mark]) -> Sequence[bool | Exception]:
        return await self._together(marks, lambda some: partial(store_marks, marks=some, now=self._clock.now()))

    async def _store_receipts(self, told: Sequence[Told]) -> Sequence[OutboxMessage | None | Exception]:
        return await self._together(told, lambda some: partial(receive, told=some, now=self._clock.now()))

    async def _together(
        self, items: Sequence[Any], work: Callable[[Sequence[Any]], Work[list[T]]]
    ) -> Sequence[T | Exception]:
        """One transaction for all; when one item spoils it, each gets its own."""
        try:
            return await self._database.write(work(items))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 (told to the one whose item it is)
            if len(items) == 1:
                return [error]
        return [(await self._together([item], work))[0] for item in items]
