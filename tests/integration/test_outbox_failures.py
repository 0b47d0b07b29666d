"""The dispatcher when gateways, handlers or other processes fail, on real databases; only the gateways are the test's."""

from __future__ import annotations

from typing import Any

import pytest

from nightlatch.app.attempt import wake_key
from nightlatch.app.deliver.backoff import SCHEDULES
from nightlatch.app.deliver.dispatch import LEASE, Sent
from nightlatch.app.deliver.messages import not_sent
from nightlatch.app.deliver.sms import SmsHandler
from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage
from nightlatch.domain.sms.circuit import OPEN_AFTER, CircuitState
from nightlatch.domain.time import DAY, MINUTE, SECOND
from tests.support.outbox import ATTEMPT, TwoGateways, refusal, two_gateways
from tests.support.ports import World


@pytest.fixture
async def post(each_world: World) -> TwoGateways:
    """On each database in turn."""
    return await two_gateways(each_world)


async def test_what_one_gateway_refuses_the_next_one_takes_at_once(post: TwoGateways) -> None:
    """In the same attempt."""
    (message,) = await post.queued()
    post.first.failure = refusal()
    await post.round(post.dispatcher())
    assert post.second.ids() == [message.id]
    assert (await post.stand(message)).gateway == "second"


@pytest.mark.requirement("G3")
async def test_all_down_means_could_not_send_until_one_is_back(post: TwoGateways) -> None:
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
async def test_all_down_until_the_code_is_dead_means_never_sent(post: TwoGateways) -> None:
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
    # Whether the last try found a circuit open or was refused itself depends on when it was made.
    assert (type_, data["attempts"], reason in ("gateway_down", "refused")) == ("message:expired", rounds, True)


async def test_a_permanent_refusal_is_final(post: TwoGateways) -> None:
    """No other gateway, no other try; and it says nothing against the gateway."""
    messages = await post.queued(OPEN_AFTER + 1)
    handler = SmsHandler((post.first, post.second), post.world.clock)
    post.first.failure = refusal(permanent=True)
    await post.round(post.dispatcher(handler))
    assert {(await post.stand(each)).status for each in messages} == {MessageStatus.DEAD}
    assert post.second.tried == 0
    assert handler.states()["first"] is CircuitState.CLOSED
    assert {(type_, reason) for type_, reason, _ in await post.events()} == {("message:dead", "refused")}


async def test_a_lost_answer_ends_the_attempt_and_is_counted(post: TwoGateways) -> None:
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


async def test_doubt_is_not_forgotten_by_a_certain_failure(post: TwoGateways) -> None:
    """Uncertain, then refused, then taken: it may have arrived twice all the same."""
    await post.queued()
    dispatcher = post.dispatcher()
    for failure in (refusal(uncertain=True), refusal(), None):
        post.first.failure = post.second.failure = failure
        await post.round(dispatcher)
        post.world.clock.advance(5 * SECOND)
    assert [data.get("repeated") for _, _, data in await post.events()] == [True]


async def test_the_lease_of_the_dead_is_taken_over(post: TwoGateways) -> None:
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
async def test_a_handler_that_breaks_puts_off_its_message_alone(post: TwoGateways) -> None:
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


async def test_a_gateway_that_fails_is_left_alone_and_tried_again(post: TwoGateways) -> None:
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


async def test_after_so_many_attempts_it_is_given_up(post: TwoGateways) -> None:
    """However long it might still live."""
    (message,) = await post.queued(ttl=DAY)
    dispatcher = post.dispatcher()
    post.first.failure = post.second.failure = refusal()
    for _ in range(SCHEDULES[Channel.SMS].attempts + 5):
        await post.round(dispatcher)
        post.world.clock.advance(20 * SECOND)
    after = await post.stand(message)
    assert (after.status, after.attempts) == (MessageStatus.DEAD, SCHEDULES[Channel.SMS].attempts)
