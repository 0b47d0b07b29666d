"""The port ``Outbox``: messages as rows that all processes share.

Roots are never touched: the dispatcher and the requests of a user do not wait for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import func, null, select, update
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from nightlatch.adapters.sql.coalescer import Coalescer
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.outbox_receipts import (
    Name,
    forget,
    keep,
    moved_by,
    newest_named,
    read_kept,
    step_between,
)
from nightlatch.adapters.sql.outbox_rows import WAITING, Step, Taking, steps_on, take
from nightlatch.adapters.sql.read import fetch, pick
from nightlatch.adapters.sql.tables import OUTBOX
from nightlatch.domain.errors import Unavailable
from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage
from nightlatch.ports.outbox import Mark, Receipt, Tell
from nightlatch.ports.world import Clock, Entropy

# Marks and receipts come one by one, from hand-overs that run side by side.
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
        self._made = steps_on(database)
        self._steps = Coalescer[Step, bool](self._make, limit=BATCH, lanes=2, key_of=lambda step: step.id)
        self._names = Coalescer[Name, OutboxMessage | None](self._find, limit=BATCH, lanes=1)
        self._marking: dict[Name, asyncio.Event] = {}

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

    async def _mark(self, mark: Mark) -> bool:
        step = Step(
            id=mark.id,
            was=MessageStatus.WAITING.value,
            lease=mark.lease,
            status=mark.status.value,
            due_at=mark.due_at,
            gateway=mark.gateway,
            reference=mark.reference,
            error=mark.error,
            done_at=None if mark.status is MessageStatus.WAITING else self._clock.now(),
            events=mark.events,
        )
        name = (mark.gateway, mark.reference)
        self._marking[name] = marked = asyncio.Event()
        try:
            return await self._surely(step)
        finally:
            marked.set()
            if self._marking.get(name) is marked:
                del self._marking[name]

    @retry(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_after_delay(SECONDS_FOR_A_MARK),
        wait=wait_random_exponential(multiplier=0.1, max=1),
        reraise=True,
    )
    async def _surely(self, step: Step) -> bool:
        # Repeated after an unknown outcome, a step that was made finds the message elsewhere and changes nothing.
        return await self._steps.submit(step)

    async def receive(self, receipts: Sequence[Receipt], tell: Tell) -> Sequence[OutboxMessage]:
        """Stored together with what others receive at this moment."""
        moved = await asyncio.gather(*(self._received(receipt, tell) for receipt in receipts))
        early = [receipt for receipt, message in zip(receipts, moved, strict=True) if message is None]
        if early:
            await self._database.write(partial(keep, receipts=early, now=self._clock.now()))
        return [message for message in moved if message is not None]

    async def _received(self, receipt: Receipt, tell: Tell) -> OutboxMessage | None:
        name = (receipt.gateway, receipt.reference)
        # Often its mark is just being stored, by this very process.
        if (marking := self._marking.get(name)) is not None:
            await marking.wait()
        message = await self._names.submit(name)
        after = moved_by(receipt, message, self._clock.now()) if message is not None else None
        if message is None or after is None:
            return None
        return after if await self._steps.submit(step_between(message, after, tell)) else None

    async def settle(self, tell: Tell) -> Sequence[OutboxMessage]:
        """Look through the kept receipts, which are few and young."""
        settled: list[OutboxMessage] = []
        after = ""
        while page := await self._database.read(partial(read_kept, after=after, now=self._clock.now())):
            after = page[-1].key
            moved = await asyncio.gather(*(self._received(one.receipt, tell) for one in page))
            done = [one.key for one, message in zip(page, moved, strict=True) if message is not None]
            if done:
                await self._database.write(partial(forget, keys=done))
            settled += (message for message in moved if message is not None)
        return settled

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
        await self._names.close()
        await self._steps.close()

    async def _find(self, names: Sequence[Name]) -> Sequence[OutboxMessage | None]:
        found = await self._database.read(partial(newest_named, names=sorted(set(names))))
        return [found.get(name) for name in names]

    async def _make(self, steps: Sequence[Step]) -> Sequence[bool | Exception]:
        """One transaction for all; when one item spoils it, each gets its own."""
        try:
            return await self._made.make(steps)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 (told to the one whose step it is)
            if len(steps) == 1:
                return [error]
        return [(await self._make([step]))[0] for step in steps]
