"""The dispatcher on real databases, real keys and the real audit log; only the gateways are the test's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from nightlatch.app.attempt import wake_key
from nightlatch.app.deliver.dispatch import Dispatcher, Sent
from nightlatch.app.deliver.mail import MailHandler
from nightlatch.app.deliver.messages import not_sent
from nightlatch.app.deliver.receipts import receive_receipts, settle_receipts
from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage
from nightlatch.domain.sms.routing import Route
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.delivery import Accepted, Mail, NotSent
from nightlatch.ports.outbox import Receipt
from tests.support.outbox import ATTEMPT, CODE, NUMBER, TwoGateways, refusal, two_gateways
from tests.support.ports import World


class Mails:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.taken: list[Mail] = []

    async def send(self, mail: Mail) -> Accepted:
        """Take it."""
        self.taken.append(mail)
        return Accepted()


@pytest.fixture
async def post(each_world: World) -> TwoGateways:
    """On each database in turn."""
    return await two_gateways(each_world)


@pytest.mark.requirement("K1", "G1")
async def test_a_text_arrives_with_its_event_and_leaves_nothing_behind(post: TwoGateways) -> None:
    """The payload is sealed while it waits, and gone when it was sent."""
    (message,) = await post.queued()
    assert CODE.encode() not in (message.sealed or b"")

    await post.round(post.dispatcher())

    (text,) = post.first.taken
    assert (text.id, text.to, text.text, text.expires_at) == (
        message.id, NUMBER, f"{CODE} is your code.", message.expires_at,
    )  # fmt: skip
    after = await post.stand(message)
    assert (after.status, after.sealed, after.gateway, after.reference) == (
        MessageStatus.SENT, None, "first", "first-1",
    )  # fmt: skip
    data = {
        "message": message.id, "channel": "sms", "about": "chl_1", "gateway": "first", "country": "DE", "attempts": 1,
    }  # fmt: skip
    assert await post.events() == [("message:sent", None, data)]
    (event,) = await post.world.events("message:sent")
    assert (event.application, event.authentication) == ("app_1", ATTEMPT)


@pytest.mark.requirement("S2")
async def test_what_was_claimed_in_time_and_begun_too_late_is_not_sent(post: TwoGateways) -> None:
    """The clock is looked at once more before it is handed over."""
    (message,) = await post.queued(ttl=10 * SECOND)
    dispatcher = post.dispatcher()
    (claimed,) = await dispatcher.claim(Channel.SMS, 1)
    post.world.clock.advance(10 * SECOND)
    await dispatcher.deliver(claimed)
    assert (await post.stand(message)).status is MessageStatus.EXPIRED
    assert post.first.tried == 0
    assert [type_ for type_, _, _ in await post.events()] == ["message:expired"]


@pytest.mark.requirement("K1")
async def test_a_payload_that_was_moved_or_changed_is_not_sent(post: TwoGateways) -> None:
    """It does not open anywhere else."""
    first, second = await post.queued(2)
    dispatcher = post.dispatcher()
    one, other = await dispatcher.claim(Channel.SMS, 2)
    await dispatcher.deliver(msgspec.structs.replace(one, sealed=other.sealed))
    await dispatcher.deliver(msgspec.structs.replace(other, sealed=None))
    assert post.first.tried == 0
    for message in (first, second):
        after = await post.stand(message)
        assert (after.status, after.error) == (MessageStatus.DEAD, "unreadable")


async def test_a_route_names_its_gateways(post: TwoGateways) -> None:
    """Others are not tried, even when these fail."""
    routes = (Route(prefix="+4915", gateways=("second",)), Route(country="DE", gateways=("first",)))
    (message,) = await post.queued()
    await post.round(post.dispatcher(routes=routes))
    assert post.second.ids() == [message.id]
    post.second.failure = refusal()
    (message,) = await post.queued()
    await post.round(post.dispatcher(routes=routes))
    assert post.first.tried == 0
    assert not_sent(await post.stand(message))


async def test_what_was_queued_for_nobody_expires(post: TwoGateways) -> None:
    """A channel without a handler keeps its messages until they are too old."""
    (message,) = await post.queued(channel=Channel.PUSH, ttl=MINUTE)
    dispatcher = post.dispatcher()
    assert dispatcher.channels == (Channel.SMS,)
    post.world.clock.advance(MINUTE)
    assert await dispatcher.lapse() == 1
    assert (await post.stand(message)).status is MessageStatus.EXPIRED


async def test_many_that_are_too_old_are_told_each(post: TwoGateways) -> None:
    """In one batch, with an event each."""
    await post.queued(120, ttl=MINUTE)
    post.world.clock.advance(MINUTE)
    assert await post.dispatcher().lapse() == 120
    assert [type_ for type_, _, _ in await post.events()] == ["message:expired"] * 120


@pytest.mark.requirement("G1")
async def test_receipts_in_either_order_with_the_mark(post: TwoGateways) -> None:
    """Each moves its message and leaves an event; who waits is woken when nothing will come."""
    messages = sorted(await post.queued(3), key=lambda message: message.id)
    early, late, lost = messages  # in the order in which they go out
    ports = post.world.ports
    await receive_receipts(ports, [Receipt(gateway="first", reference="first-1", delivered=True)])
    await post.round(post.dispatcher())
    assert await settle_receipts(ports) == 1
    async with ports.wakeups.subscribe(wake_key(ATTEMPT)) as changed:
        await receive_receipts(ports, [Receipt(gateway="first", reference="first-2", delivered=True)])
        assert not await changed.wait(SECOND // 100)
        odd = Receipt(gateway="first", reference="first-3", delivered=False, error="absent\0\r\nforged")
        await receive_receipts(ports, [odd])
        assert await changed.wait(SECOND)
    stands = [(await post.stand(each)).status for each in (early, late, lost)]
    assert stands == [MessageStatus.DELIVERED, MessageStatus.DELIVERED, MessageStatus.DEAD]
    assert not_sent(await post.stand(lost))
    told = [(type_, reason) for type_, reason, _ in await post.events()]
    assert told[3:] == [("message:delivered", None), ("message:delivered", None), ("message:dead", "absentforged")]


async def test_what_a_gateway_says_is_kept_plain(post: TwoGateways) -> None:
    """No database refuses it, so nothing is sent twice for it."""
    (message,) = await post.queued()

    async def handler(message: OutboxMessage, payload: dict[str, Any]) -> Sent:
        return Sent(gateway="odd", reference="a\0b\ud800\n" + "c" * 500)

    await post.round(post.dispatcher(handler))
    after = await post.stand(message)
    assert (after.status, after.reference) == (MessageStatus.SENT, "ab" + "c" * 198)

    async def refuses(message: OutboxMessage, payload: dict[str, Any]) -> Sent:
        raise NotSent("\0\n" + "x" * 500)

    (message,) = await post.queued()
    await post.round(post.dispatcher(refuses))
    assert (await post.stand(message)).error == "x" * 200


async def test_a_mail_leaves_by_the_mail_handler(post: TwoGateways) -> None:
    """With our id, the same at every repeat."""
    fields = {"to": "maya@example.org", "subject": "New", "text": "A factor was added.", "html": "<p>Added</p>"}
    (message,) = await post.queued(channel=Channel.MAIL, payload=fields, authentication_id=None)
    mails = Mails()
    dispatcher = Dispatcher(post.world.ports, {Channel.MAIL: MailHandler(mails)})
    (claimed,) = await dispatcher.claim(Channel.MAIL, 10)
    await dispatcher.deliver(claimed)
    assert mails.taken == [Mail(id=message.id, **fields)]
    assert repr(mails.taken[0]) == f"Mail(id={message.id!r})"
    assert (await post.stand(message)).gateway == "mail"
