"""The dispatcher on real databases, real keys and the real audit log; only the gateways are the test's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from nightlatch.app.attempt import wake_key
from nightlatch.app.deliver.backoff import SCHEDULES
from nightlatch.app.deliver.dispatch import LEASE, Dispatcher, Handler, Sent
from nightlatch.app.deliver.mail import MailHandler
from nightlatch.app.deliver.messages import not_sent, queue, stand
from nightlatch.app.deliver.receipts import receive_receipts, settle_receipts
from nightlatch.app.deliver.sms import SmsHandler
from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage, User
from nightlatch.domain.sms.circuit import OPEN_AFTER, CircuitState
from nightlatch.domain.sms.routing import Route
from nightlatch.domain.time import DAY, MINUTE, SECOND
from nightlatch.ports.delivery import Accepted, Mail, NotSent
from nightlatch.ports.outbox import Receipt
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.outbox import Gateway, refusal
from tests.support.ports import World

NUMBER = "+4915112345678"
CODE = "602931"
ATTEMPT = "atn_019b2dcd7c007000800000000000000a"


class Mails:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.taken: list[Mail] = []

    async def send(self, mail: Mail) -> Accepted:
        """Take it."""
        self.taken.append(mail)
        return Accepted()


@dataclass
class Post:
    """Somebody who sends to one person, through two gateways."""

    world: World
    user: User
    first: Gateway = field(default_factory=lambda: Gateway("first"))
    second: Gateway = field(default_factory=lambda: Gateway("second"))

    def dispatcher(self, handler: Handler | None = None, **more: Any) -> Dispatcher:
        """Texts go through both gateways, unless through another handler."""
        usual = SmsHandler((self.first, self.second), self.world.clock, **more)
        return Dispatcher(self.world.ports, {Channel.SMS: handler or usual})

    async def queued(self, count: int = 1, ttl: int = 5 * MINUTE, **fields: Any) -> list[OutboxMessage]:
        """Texts in one change of this person."""
        ports, now = self.world.ports, self.world.clock.now()
        chosen: dict[str, Any] = {
            "channel": Channel.SMS, "payload": {"to": NUMBER, "text": f"{CODE} is your code."}, "about": "chl_1",
            "authentication_id": ATTEMPT, "route": {"country": "DE", "application": "app_1"},
        } | fields  # fmt: skip
        messages = [queue(ports, now, user=self.user, ttl=ttl, **chosen) for _ in range(count)]
        seen = await ports.store.load(UserKey(user=self.user.id))
        change = Change(root=self.user.id, expected=seen.version, new=tuple(messages))
        assert await ports.store.commit(change) is Outcome.APPLIED
        return messages

    async def stand(self, message: OutboxMessage) -> OutboxMessage:
        """As it stands."""
        found = await stand(self.world.ports, message.id)
        assert found is not None
        return found

    async def round(self, dispatcher: Dispatcher) -> Sequence[OutboxMessage]:
        """Deliver what is due, one after the other."""
        claimed = await dispatcher.claim(Channel.SMS, 100)
        for message in claimed:
            await dispatcher.deliver(message)
        return claimed

    async def events(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        """What the audit log says of messages."""
        every = await self.world.events()
        told = [event for event in every if event.type.startswith("message:")]
        assert all((event.user, event.actor) == (self.user.id, "system") for event in told)
        return [(event.type, event.reason, event.data) for event in told]


@pytest.fixture
async def post(each_world: World) -> Post:
    """On each database in turn."""
    caller = await each_world.application()
    person = await each_world.person(caller)
    user = (await each_world.ports.store.load(UserKey(user=person.id))).user
    assert user is not None
    return Post(each_world, user)


@pytest.mark.requirement("K1", "G1")
async def test_a_text_arrives_with_its_event_and_leaves_nothing_behind(post: Post) -> None:
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


async def test_what_one_gateway_refuses_the_next_one_takes_at_once(post: Post) -> None:
    """In the same attempt."""
    (message,) = await post.queued()
    post.first.failure = refusal()
    await post.round(post.dispatcher())
    assert post.second.ids() == [message.id]
    assert (await post.stand(message)).gateway == "second"


@pytest.mark.requirement("G3")
async def test_all_down_means_could_not_send_until_one_is_back(post: Post) -> None:
    """Nothing is marked as sent; who waits is woken; it goes out when a gateway is back, while its code lives."""
    (message,) = await post.queued()
    dispatcher = post.dispatcher()
    post.first.failure = post.second.failure = refusal()
    async with post.world.ports.wakeups.subscribe(wake_key(ATTEMPT)) as changed:
        await post.round(dispatcher)
        assert await changed.wait(SECOND)
    after = await post.stand(message)
    assert (after.status, after.error, after.gateway) == (MessageStatus.WAITING, "refused", "second")
    assert not_sent(after)
    assert post.world.clock.now() < after.due_at <= post.world.clock.now() + SCHEDULES[Channel.SMS].first
    assert await post.events() == []

    post.second.failure = None
    post.world.clock.at = after.due_at
    await post.round(dispatcher)
    after = await post.stand(message)
    assert (after.status, after.attempts, after.error, not_sent(after)) == (MessageStatus.SENT, 2, None, False)


@pytest.mark.requirement("S2", "G3")
async def test_all_down_until_the_code_is_dead_means_never_sent(post: Post) -> None:
    """Not even when the gateways are back a moment later."""
    (message,) = await post.queued()
    dispatcher = post.dispatcher()
    post.first.failure = post.second.failure = refusal()
    rounds = 0
    while await dispatcher.lapse() == 0:
        rounds += len(await post.round(dispatcher))
        post.world.clock.advance(SECOND)
    assert post.world.clock.now() == message.expires_at
    post.first.failure = post.second.failure = None
    post.world.clock.advance(MINUTE)
    await post.round(dispatcher)
    after = await post.stand(message)
    assert (after.status, after.sealed, after.attempts) == (MessageStatus.EXPIRED, None, rounds)
    assert not_sent(after)
    assert post.first.taken == post.second.taken == []
    ((type_, reason, data),) = await post.events()
    assert (type_, reason, data["attempts"]) == ("message:expired", "gateway_down", rounds)


@pytest.mark.requirement("S2")
async def test_what_was_claimed_in_time_and_begun_too_late_is_not_sent(post: Post) -> None:
    """The clock is looked at once more before it is handed over."""
    (message,) = await post.queued(ttl=10 * SECOND)
    dispatcher = post.dispatcher()
    (claimed,) = await dispatcher.claim(Channel.SMS, 1)
    post.world.clock.advance(10 * SECOND)
    await dispatcher.deliver(claimed)
    assert (await post.stand(message)).status is MessageStatus.EXPIRED
    assert post.first.tried == 0
    assert [type_ for type_, _, _ in await post.events()] == ["message:expired"]


async def test_a_permanent_refusal_is_final(post: Post) -> None:
    """No other gateway, no other try; and it says nothing against the gateway."""
    messages = await post.queued(OPEN_AFTER + 1)
    handler = SmsHandler((post.first, post.second), post.world.clock)
    post.first.failure = refusal(permanent=True)
    await post.round(post.dispatcher(handler))
    assert {(await post.stand(each)).status for each in messages} == {MessageStatus.DEAD}
    assert post.second.tried == 0
    assert handler.states()["first"] is CircuitState.CLOSED
    assert {(type_, reason) for type_, reason, _ in await post.events()} == {("message:dead", "refused")}


async def test_a_lost_answer_ends_the_attempt_and_is_counted(post: Post) -> None:
    """It is repeated under the same id at the same gateway; that it may have arrived twice stands in the event."""
    (message,) = await post.queued()
    dispatcher = post.dispatcher()
    post.first.failure = refusal(uncertain=True)
    await post.round(dispatcher)
    assert post.second.tried == 0
    post.first.failure = None
    post.world.clock.advance(SECOND)
    await post.round(dispatcher)
    assert post.first.ids() == [message.id]
    ((type_, _, data),) = await post.events()
    assert (type_, data["attempts"], data["repeated"]) == ("message:sent", 2, True)


async def test_doubt_is_not_forgotten_by_a_certain_failure(post: Post) -> None:
    """Uncertain, then refused, then taken: it may have arrived twice all the same."""
    await post.queued()
    dispatcher = post.dispatcher()
    for failure in (refusal(uncertain=True), refusal(), None):
        post.first.failure = post.second.failure = failure
        await post.round(dispatcher)
        post.world.clock.advance(5 * SECOND)
    assert [data.get("repeated") for _, _, data in await post.events()] == [True]


async def test_the_lease_of_the_dead_is_taken_over(post: Post) -> None:
    """Whoever held it may have sent it: the repeat is counted."""
    (message,) = await post.queued()
    dispatcher = post.dispatcher()
    (claimed,) = await dispatcher.claim(Channel.SMS, 1)
    assert await post.round(dispatcher) == []
    post.world.clock.advance(LEASE)
    await post.round(dispatcher)
    await dispatcher.deliver(claimed)  # the dead one wakes, too late
    assert post.first.ids() == [message.id, message.id]
    ((_, _, data),) = await post.events()
    assert (data["attempts"], data["repeated"]) == (2, True)


@pytest.mark.requirement("K3")
async def test_a_handler_that_breaks_puts_off_its_message_alone(post: Post) -> None:
    """It is raised for the log, and what it said is kept nowhere."""
    good, bad = await post.queued(2)

    async def handler(message: OutboxMessage, payload: dict[str, Any]) -> Sent:
        if message.id == bad.id:
            raise KeyError(payload["text"])
        return Sent(gateway="other")

    dispatcher = post.dispatcher(handler)
    for message in await dispatcher.claim(Channel.SMS, 10):
        if message.id == bad.id:
            with pytest.raises(KeyError):
                await dispatcher.deliver(message)
        else:
            await dispatcher.deliver(message)
    assert (await post.stand(good)).status is MessageStatus.SENT
    after = await post.stand(bad)
    assert (after.status, after.error) == (MessageStatus.WAITING, "uncertain:crashed_KeyError")
    assert after.due_at > post.world.clock.now()


@pytest.mark.requirement("K1")
async def test_a_payload_that_was_moved_or_changed_is_not_sent(post: Post) -> None:
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


async def test_a_gateway_that_fails_is_left_alone_and_tried_again(post: Post) -> None:
    """After five failures nothing goes there; then it is asked how it is; then one text goes first."""
    handler = SmsHandler((post.first, post.second), post.world.clock)
    dispatcher = post.dispatcher(handler)
    await post.queued(10)
    post.first.failure = refusal()
    post.first.well = False
    await post.round(dispatcher)
    assert (post.first.tried, len(post.second.taken)) == (OPEN_AFTER, 10)
    assert handler.states() == {"first": CircuitState.OPEN, "second": CircuitState.CLOSED}

    post.world.clock.advance(30 * SECOND)
    await post.queued(3)
    await post.round(dispatcher)
    assert (post.first.tried, post.first.asked, len(post.second.taken)) == (OPEN_AFTER, 1, 13)

    post.first.failure, post.first.well = None, True
    post.world.clock.advance(60 * SECOND)
    await post.queued(3)
    await post.round(dispatcher)
    assert (len(post.first.taken), len(post.second.taken)) == (3, 13)
    assert handler.states()["first"] is CircuitState.CLOSED


async def test_a_route_names_its_gateways(post: Post) -> None:
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


async def test_what_was_queued_for_nobody_expires(post: Post) -> None:
    """A channel without a handler keeps its messages until they are too old."""
    (message,) = await post.queued(channel=Channel.PUSH, ttl=MINUTE)
    dispatcher = post.dispatcher()
    assert dispatcher.channels == (Channel.SMS,)
    post.world.clock.advance(MINUTE)
    assert await dispatcher.lapse() == 1
    assert (await post.stand(message)).status is MessageStatus.EXPIRED


async def test_many_that_are_too_old_are_told_each(post: Post) -> None:
    """In one batch, with an event each."""
    await post.queued(120, ttl=MINUTE)
    post.world.clock.advance(MINUTE)
    assert await post.dispatcher().lapse() == 120
    assert [type_ for type_, _, _ in await post.events()] == ["message:expired"] * 120


async def test_after_so_many_attempts_it_is_given_up(post: Post) -> None:
    """However long it might still live."""
    (message,) = await post.queued(ttl=DAY)
    dispatcher = post.dispatcher()
    post.first.failure = post.second.failure = refusal()
    for _ in range(SCHEDULES[Channel.SMS].attempts + 5):
        await post.round(dispatcher)
        post.world.clock.advance(20 * SECOND)
    after = await post.stand(message)
    assert (after.status, after.attempts) == (MessageStatus.DEAD, SCHEDULES[Channel.SMS].attempts)


@pytest.mark.requirement("G1")
async def test_receipts_in_either_order_with_the_mark(post: Post) -> None:
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


async def test_what_a_gateway_says_is_kept_plain(post: Post) -> None:
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


async def test_a_mail_leaves_by_the_mail_handler(post: Post) -> None:
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
