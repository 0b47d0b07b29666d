"""The contract of ``Outbox``, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.outbox import SqlOutbox
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.tables import AUDIT_QUEUE, EVENTS
from nightlatch.adapters.system import SystemEntropy
from nightlatch.domain.errors import Invalid, Unavailable
from nightlatch.domain.records import Channel, Event, MessageStatus, OutboxMessage
from nightlatch.domain.time import DAY, MINUTE, SECOND
from nightlatch.ports.outbox import LEASE_LOST, Mark, Receipt
from nightlatch.ports.store import UserKey
from tests.support.databases import NOW, an_event
from tests.support.outbox import keep_messages
from tests.support.ports import SetClock

LEASE = 30 * SECOND


@pytest.fixture
def clock() -> SetClock:
    """Stands still until it is moved."""
    return SetClock(NOW)


@pytest.fixture
async def outbox(database: Database, clock: SetClock) -> AsyncIterator[SqlOutbox]:
    """An outbox on each database in turn."""
    opened = SqlOutbox(database, clock, SystemEntropy())
    yield opened
    await opened.close()


async def claim(outbox: SqlOutbox, limit: int = 10, channel: Channel = Channel.SMS) -> list[OutboxMessage]:
    """What there is to send."""
    return list(await outbox.claim(channel, limit=limit, lease=LEASE))


async def lapse(outbox: SqlOutbox) -> list[OutboxMessage]:
    """What is too old to be sent."""
    return list(await outbox.lapse(limit=10, lease=LEASE))


async def stand(outbox: SqlOutbox, message: OutboxMessage) -> OutboxMessage:
    """The message as it stands."""
    (found,) = await outbox.look([message.id])
    return found


def a_mark(message: OutboxMessage, status: MessageStatus = MessageStatus.SENT, **fields: Any) -> Mark:
    """What became of a claimed message."""
    assert message.lease is not None
    return Mark(id=message.id, lease=message.lease, status=status, **fields)


def tell(message: OutboxMessage) -> Event:
    """An event that names the message."""
    return an_event(type=f"message:{message.status.value}", data={"message": message.id})


async def sent(outbox: SqlOutbox, store: SqlStore, reference: str = "r1") -> OutboxMessage:
    """A message that a gateway took."""
    await keep_messages(store)
    (message,) = await claim(outbox)
    assert await outbox.mark([a_mark(message, gateway="first", reference=reference)]) == 1
    return await stand(outbox, message)


async def types_of_events(database: Database) -> list[str]:
    """Of all events, each of which is queued for the audit log."""
    events = EVENTS.table.c
    both = select(events.type).join(AUDIT_QUEUE, AUDIT_QUEUE.c.event_id == events.id).order_by(AUDIT_QUEUE.c.n)
    queued = await database.read(lambda connection: connection.execute(both).scalars().all())
    every = await database.read(lambda connection: connection.execute(select(events.id)).scalars().all())
    assert len(queued) == len(every)
    return list(queued)


async def test_what_was_queued_is_handed_out_once(outbox: SqlOutbox, store: SqlStore) -> None:
    """Whole, under a lease, and to nobody else."""
    _, (message,) = await keep_messages(store, about="chl_1")

    (claimed,) = await claim(outbox)

    assert claimed.lease is not None
    until = NOW + LEASE
    expected = msgspec.structs.replace(message, attempts=1, lease=claimed.lease, leased_until=until, due_at=until)
    assert claimed == expected == await stand(outbox, message)
    assert await claim(outbox) == []


async def test_the_oldest_go_first(outbox: SqlOutbox, store: SqlStore, clock: SetClock) -> None:
    """As many as are asked for."""
    _, newer = await keep_messages(store, 3, created_at=NOW)
    _, older = await keep_messages(store, 3, created_at=NOW - SECOND)

    assert [each.id for each in await claim(outbox, 4)] == [each.id for each in [*older, newer[0]]]
    assert [each.id for each in await claim(outbox, 4)] == [each.id for each in newer[1:]]


async def test_what_is_not_due_or_goes_another_way_stays(outbox: SqlOutbox, store: SqlStore, clock: SetClock) -> None:
    """Each channel has its own queue."""
    _, (mail,) = await keep_messages(store, channel=Channel.MAIL)
    _, (later,) = await keep_messages(store, due_at=NOW + 10)

    assert await claim(outbox) == []
    assert [each.id for each in await claim(outbox, channel=Channel.MAIL)] == [mail.id]
    clock.advance(10)
    assert [each.id for each in await claim(outbox)] == [later.id]


@pytest.mark.requirement("K1")
@pytest.mark.parametrize("status", [MessageStatus.SENT, MessageStatus.DEAD, MessageStatus.EXPIRED])
async def test_what_is_done_keeps_no_payload(
    outbox: SqlOutbox, store: SqlStore, database: Database, clock: SetClock, status: MessageStatus
) -> None:
    """What became of it is stored with its event, and it comes up no more; its person's version stays."""
    user, _ = await keep_messages(store)
    (message,) = await claim(outbox)
    clock.advance(SECOND)
    mark = a_mark(
        message, status, gateway="first", reference="r1", error="odd", events=(an_event(user, type="message:x"),)
    )

    assert await outbox.mark([mark]) == 1

    after = await stand(outbox, message)
    assert (after.status, after.sealed, after.lease, after.done_at) == (status, None, None, NOW + SECOND)
    assert (after.gateway, after.reference, after.error) == ("first", "r1", "odd")
    assert await types_of_events(database) == ["message:x"]
    clock.advance(10 * MINUTE)
    assert await claim(outbox) == []
    assert await lapse(outbox) == []
    assert (await store.load(UserKey(user=user.id))).version == 1


async def test_what_was_put_off_comes_back_when_it_is_due(outbox: SqlOutbox, store: SqlStore, clock: SetClock) -> None:
    """With its payload, and not before."""
    await keep_messages(store)
    (message,) = await claim(outbox)
    assert await outbox.mark([a_mark(message, MessageStatus.WAITING, due_at=NOW + 5 * SECOND, error="down")]) == 1
    clock.advance(5 * SECOND - 1)
    assert await claim(outbox) == []
    clock.advance(1)
    (again,) = await claim(outbox)
    assert (again.id, again.attempts, again.error, again.sealed) == (message.id, 2, "down", b"sealed")


async def test_who_loses_the_lease_loses_the_message(
    outbox: SqlOutbox, store: SqlStore, database: Database, clock: SetClock
) -> None:
    """The next one is told, and the mark of the one before it changes nothing, with its event."""
    await keep_messages(store)
    (first,) = await claim(outbox)
    clock.advance(LEASE - 1)
    assert await claim(outbox) == []
    clock.advance(1)
    (second,) = await claim(outbox)
    assert (second.id, second.attempts, second.error) == (first.id, 2, LEASE_LOST)

    assert await outbox.mark([a_mark(first, gateway="late", events=(an_event(),))]) == 0
    assert (await stand(outbox, first)).status is MessageStatus.WAITING
    assert await types_of_events(database) == []

    assert await outbox.mark([a_mark(second, gateway="second", events=(an_event(),))]) == 1
    assert await outbox.mark([a_mark(second, gateway="again", events=(an_event(),))]) == 0
    assert (await stand(outbox, first)).gateway == "second"
    assert len(await types_of_events(database)) == 1


@pytest.mark.requirement("S2")
async def test_what_is_too_old_is_never_handed_out(outbox: SqlOutbox, store: SqlStore, clock: SetClock) -> None:
    """It is taken by who marks it as expired, its payload gone already."""
    await keep_messages(store, expires_at=NOW + MINUTE)
    clock.advance(MINUTE - 1)
    assert await lapse(outbox) == []
    clock.advance(1)
    assert await claim(outbox) == []

    (old,) = await lapse(outbox)
    assert (old.sealed, old.attempts) == (None, 0)
    assert await lapse(outbox) == []
    assert await outbox.mark([a_mark(old, MessageStatus.EXPIRED)]) == 1
    assert (await stand(outbox, old)).status is MessageStatus.EXPIRED


@pytest.mark.requirement("S2")
async def test_what_becomes_too_old_under_way_is_left_to_its_holder(
    outbox: SqlOutbox, store: SqlStore, clock: SetClock
) -> None:
    """Who began in time may still tell that it was sent; after the lease it counts as too old."""
    await keep_messages(store, 2, expires_at=NOW + SECOND)
    taken, lost = await claim(outbox)
    clock.advance(2 * SECOND)
    assert await lapse(outbox) == []
    assert await outbox.mark([a_mark(taken)]) == 1
    clock.advance(LEASE)
    assert await claim(outbox) == []
    assert [(each.id, each.error) for each in await lapse(outbox)] == [(lost.id, LEASE_LOST)]


@pytest.mark.parametrize(("delivered", "status"), [(True, MessageStatus.DELIVERED), (False, MessageStatus.DEAD)])
async def test_a_receipt_tells_what_became_of_it(
    outbox: SqlOutbox, store: SqlStore, database: Database, delivered: bool, status: MessageStatus
) -> None:
    """After the mark: once, with its event."""
    message = await sent(outbox, store)
    receipt = Receipt(gateway="first", reference="r1", delivered=delivered, error=None if delivered else "absent")

    (moved,) = await outbox.receive([receipt], tell)

    assert (moved.id, moved.status) == (message.id, status)
    assert moved == await stand(outbox, message)
    assert moved.error == (None if delivered else "absent")
    assert await outbox.receive([receipt], tell) == []
    assert await outbox.settle(tell) == []
    assert await types_of_events(database) == [f"message:{status.value}"]


@pytest.mark.parametrize("delivered", [True, False])
async def test_a_receipt_may_come_before_the_mark(
    outbox: SqlOutbox, store: SqlStore, database: Database, delivered: bool
) -> None:
    """It is kept, and found when the mark has come."""
    receipt = Receipt(gateway="first", reference="r1", delivered=delivered)
    assert await outbox.receive([receipt], tell) == []
    assert await outbox.settle(tell) == []

    message = await sent(outbox, store)

    (moved,) = await outbox.settle(tell)
    assert moved == await stand(outbox, message)
    assert moved.status is (MessageStatus.DELIVERED if delivered else MessageStatus.DEAD)
    assert await outbox.settle(tell) == []
    assert len(await types_of_events(database)) == 1


@pytest.mark.parametrize("order", [(True, False), (False, True)])
async def test_that_it_arrived_is_the_last_word(
    outbox: SqlOutbox, store: SqlStore, database: Database, clock: SetClock, order: tuple[bool, bool]
) -> None:
    """In either order of two receipts, before the mark and after it; and whoever sends one again, and when."""
    receipts = [Receipt(gateway="first", reference="r1", delivered=delivered) for delivered in order]
    for receipt in receipts:
        await outbox.receive([receipt], tell)
    early = await sent(outbox, store, "r1")
    await outbox.settle(tell)
    assert (await stand(outbox, early)).status is MessageStatus.DELIVERED

    late = await sent(outbox, store, "r2")
    for receipt in receipts:
        await outbox.receive([msgspec.structs.replace(receipt, reference="r2")], tell)
    assert (await stand(outbox, late)).status is MessageStatus.DELIVERED
    told = await types_of_events(database)

    clock.advance(30 * DAY)
    for receipt in receipts:
        assert await outbox.receive([receipt], tell) == []
    assert (await stand(outbox, early)).status is MessageStatus.DELIVERED
    assert await types_of_events(database) == told


async def test_a_kept_receipt_is_forgotten_after_some_minutes(
    outbox: SqlOutbox, store: SqlStore, clock: SetClock
) -> None:
    """It was for a message of others, or one that was sent again under another name."""
    await outbox.receive([Receipt(gateway="first", reference="r1", delivered=True)], tell)
    clock.advance(5 * MINUTE)
    await keep_messages(store, created_at=clock.now())
    (message,) = await claim(outbox)
    await outbox.mark([a_mark(message, gateway="first", reference="r1")])
    assert await outbox.settle(tell) == []


async def test_a_receipt_is_of_its_own_gateway(outbox: SqlOutbox, store: SqlStore) -> None:
    """Two gateways may use one name; one that begins anew uses it for its newest message."""
    old, new = await sent(outbox, store), await sent(outbox, store)
    assert await outbox.receive([Receipt(gateway="second", reference="r1", delivered=True)], tell) == []
    (moved,) = await outbox.receive([Receipt(gateway="first", reference="r1", delivered=True)], tell)
    assert moved.id == new.id
    assert (await stand(outbox, old)).status is MessageStatus.SENT


async def test_many_receipts_at_once(outbox: SqlOutbox, store: SqlStore, database: Database) -> None:
    """Half of them before their marks; each moves its message once."""
    _, messages = await keep_messages(store, 150)
    receipts = [Receipt(gateway="first", reference=each.id, delivered=True) for each in messages]
    claimed = await claim(outbox, 200)

    async def mark_and_receive(number: int) -> None:
        if number % 2:
            await outbox.receive([receipts[number]], tell)
        await outbox.mark([a_mark(claimed[number], gateway="first", reference=claimed[number].id)])
        if number % 2 == 0:
            await outbox.receive([receipts[number]], tell)

    await asyncio.gather(*map(mark_and_receive, range(150)))
    await outbox.settle(tell)
    assert {each.status for each in await outbox.look([each.id for each in messages])} == {MessageStatus.DELIVERED}
    assert await types_of_events(database) == ["message:delivered"] * 150


async def test_claimers_side_by_side_share_nothing(outbox: SqlOutbox, store: SqlStore) -> None:
    """Each message goes to one of them."""
    _, messages = await keep_messages(store, 100)
    claims = await asyncio.gather(*(claim(outbox, 7) for _ in range(20)))
    taken = [each.id for claimed in claims for each in claimed]
    assert len(taken) == len(set(taken))
    rest = [each.id for each in await claim(outbox, 100)]
    assert sorted(taken + rest) == [each.id for each in messages]


async def test_one_bad_mark_harms_no_other(outbox: SqlOutbox, store: SqlStore) -> None:
    """What no database keeps is refused to the one who brought it."""
    await keep_messages(store, 3)
    claimed = await claim(outbox)
    bad = an_event(reason="half of a pair: \ud800")
    answers = await asyncio.gather(
        *(outbox.mark([a_mark(each, events=(bad,) if each is claimed[1] else ())]) for each in claimed),
        return_exceptions=True,
    )
    assert answers[0] == answers[2] == 1
    assert isinstance(answers[1], Invalid)
    stands = [each.status for each in await outbox.look([each.id for each in claimed])]
    assert stands == [MessageStatus.SENT, MessageStatus.WAITING, MessageStatus.SENT]


async def test_how_many_wait(outbox: SqlOutbox, store: SqlStore) -> None:
    """By channel, those under way included."""
    await keep_messages(store, 3)
    await keep_messages(store, 2, channel=Channel.MAIL)
    first, *_ = await claim(outbox)
    await outbox.mark([a_mark(first)])
    assert await outbox.waiting() == {Channel.SMS: 2, Channel.MAIL: 2, Channel.PUSH: 0}


async def test_a_closed_outbox_takes_no_more(outbox: SqlOutbox, store: SqlStore) -> None:
    """What was begun is finished; the rest is told so."""
    await keep_messages(store)
    (message,) = await claim(outbox)
    marking = asyncio.create_task(outbox.mark([a_mark(message)]))
    for _ in range(3):  # until it is on its way
        await asyncio.sleep(0)
    await outbox.close()
    assert await marking == 1
    with pytest.raises(Unavailable):
        await outbox.receive([Receipt(gateway="first", reference="r1", delivered=True)], tell)
