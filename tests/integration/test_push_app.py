"""Push as use cases: crowds, messages, and what a phone says of how it is rung."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from nightlatch.app.challenge import open_challenge
from nightlatch.app.deliver.messages import message_place
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.messages import Activation, NewChallenge, NewFactor
from nightlatch.app.push.caller import NotPaired, Phone, phone_of
from nightlatch.app.push.messages import NewPairing, NewSubscription, Subscription, WebPush, WebPushKeys
from nightlatch.app.push.pair import pair
from nightlatch.app.push.prune import prune_subscription
from nightlatch.app.push.respond import respond
from nightlatch.app.push.sealed import open_push_secret
from nightlatch.app.push.subscription import set_subscription
from nightlatch.app.read_authentication import read_authentication
from nightlatch.domain.errors import Conflict, Invalid, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Channel, OutboxMessage
from nightlatch.domain.time import MINUTE, SECOND
from tests.support.codes import shows
from tests.support.phones import PushPhone
from tests.support.ports import SITE, World
from tests.support.push_app import NO_TOPICS, Held, hold, paired

CROWD = 50


async def crowd(calls: list[Awaitable[Any]]) -> list[Any]:
    """All at once: what those answered that were not refused."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert all(not isinstance(one, BaseException) or isinstance(one, (Throttled, Invalid, Conflict)) for one in done), (
        done
    )
    return [one for one in done if not isinstance(one, BaseException)]


@pytest.fixture
async def maya(each_world: World) -> Held:
    """On each kind of database."""
    return await hold(each_world)


@pytest.mark.requirement("P2", "H3")
async def test_of_fifty_responses_one_counts(maya: Held) -> None:
    """The same one, and others beside it that say something else."""
    challenge, number = await maya.asked(authentication := await maya.begin())
    first = maya.phone.response(challenge, "approve", number)
    responses = [first if n % 2 else maya.phone.response(challenge, "deny") for n in range(CROWD)]
    said = await crowd([respond(maya.world.ports, challenge["id"], one) for one in responses])
    words = [one.status for one in said]
    assert len([word for word in words if word != "expired"]) == 1
    ended = await read_authentication(maya.world.ports, maya.bank, authentication)
    assert (ended.status.value == "approved") is ("approved" in words)
    told = await maya.world.events("authentication:approved") + await maya.world.events("authentication:answer_refused")
    assert len(told) == 1


@pytest.mark.requirement("B2", "H3")
async def test_of_fifty_phones_one_takes_a_code(each_world: World) -> None:
    """The others hear that it was used."""
    bank = await each_world.application()
    await each_world.person(bank)
    enrolled = await enroll_factor(each_world.ports, bank, "maya", NewFactor(kind=FactorKind.PUSH))
    code = enrolled.enrollment.code
    phones = [PushPhone(SITE.public_url, each_world.clock) for _ in range(10)]
    bodies = [msgspec.convert(phones[n % 10].pairing(code or ""), NewPairing) for n in range(CROWD)]
    assert len(await crowd([pair(each_world.ports, body) for body in bodies])) == 1
    assert len(await each_world.events("push:phone_paired")) == 1


@pytest.mark.requirement("P5", "H3")
async def test_of_fifty_sign_ins_at_once_one_rings(maya: Held) -> None:
    """And one message leaves."""
    sign_ins = [await maya.begin() for _ in range(CROWD)]
    new = NewChallenge(factor=maya.phone.factor)
    opened = await crowd([open_challenge(maya.world.ports, maya.bank, one, new) for one in sign_ins])
    assert len(opened) == 1
    assert len(await maya.world.ports.outbox.claim(Channel.PUSH, limit=99, lease=SECOND)) == 1


async def test_of_fifty_readers_one_is_told_the_device_token(maya: Held) -> None:
    """The others see the assertion alone."""
    challenge, number = await maya.asked(authentication := await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"
    read = await crowd([read_authentication(maya.world.ports, maya.bank, authentication) for _ in range(CROWD)])
    assert len([one for one in read if one.device_token]) == 1
    assert all(one.assertion for one in read)


@pytest.mark.requirement("P2", "K1")
async def test_what_leaves_names_who_asks_and_not_the_number(maya: Held) -> None:
    """Three of thirty leave; each is sealed, and over when its challenge is."""
    numbers: list[str] = []
    messages: list[OutboxMessage] = []
    for _ in range(30):
        authentication = await maya.begin()
        try:
            numbers.append((await maya.asked(authentication))[1])
        except Throttled:
            assert len(numbers) >= 1
        messages += await maya.world.ports.outbox.claim(Channel.PUSH, limit=99, lease=MINUTE)
        maya.world.clock.advance(15 * SECOND)
    assert len(numbers) == len({message.id for message in messages}) == 3
    for message in messages:
        sealed = message.sealed or b""
        opened = maya.world.ports.sealer.open(sealed, message_place(message.id, message.user_id))
        payload = msgspec.json.decode(opened)
        assert (payload["transport"], payload["subscription"]) == ("ntfy", "https://ntfy.example/up")
        assert payload["data"]["type"] == "MFA_CHALLENGE"
        assert payload["navigate"] == f"{SITE.public_url}/authenticator?challenge={payload['data']['challenge']}"
        assert payload["ttl"] <= 120
        assert message.expires_at - message.created_at == 120 * SECOND
        assert not any(shows(opened.decode(), number) for number in numbers)
        assert not any(number.encode() in sealed for number in numbers)
        assert "bank" in payload["title"]


@pytest.mark.requirement("P7")
async def test_a_phone_says_how_it_is_rung_and_a_dead_way_goes(maya: Held) -> None:
    """A way that was renewed meanwhile stays; nobody is rung who is not there."""
    ports, phone = maya.world.ports, Phone(maya.phone.factor)
    new = NewSubscription(subscription=Subscription(fcm="token", ntfy="https://ntfy.example/new"))
    await set_subscription(ports, phone, new)
    assert set(maya_ways := (await maya.factor()).public["transports"]) == {"fcm", "ntfy"}, maya_ways
    await prune_subscription(ports, phone.factor_id, "ntfy", "https://ntfy.example/up")
    assert set((await maya.factor()).public["transports"]) == {"fcm", "ntfy"}
    await prune_subscription(ports, phone.factor_id, "ntfy", "https://ntfy.example/new")
    await prune_subscription(ports, phone.factor_id, "fcm")
    await prune_subscription(ports, phone.factor_id, "web")
    await prune_subscription(ports, "fac_" + "0" * 32, "web")
    assert open_push_secret(ports, await maya.factor()).subscriptions == Subscription()
    assert [event.data["transport"] for event in await maya.world.events("push:subscription_pruned")] == ["ntfy", "fcm"]
    await maya.asked(await maya.begin())
    assert not await ports.outbox.claim(Channel.PUSH, limit=9, lease=SECOND)


@pytest.mark.parametrize(
    "address",
    [
        "http://push.example/x", "https://127.0.0.1/x", "https://[::1]/x", "https://169.254.169.254/latest", "ftp://x.example",
        "https://user@push.example/", "https://", "https://push.example:port/", "https://localhost/x", "javascript:x", "x",
        "https://push.example/#x", "https://push.example/\n", "https://2130706433/", "https://127.1/", "https://0x7f000001/x",
        "https://0177.0.0.1/x", "https://0x7f.0x1/", "https://localhost./x", "https://push.example./x", "https://a.localhost/x",
        "https://[::ffff:127.0.0.1]/x", "https://[::1%25lo]/", "https://.example/", "https://push..example/", "https://10.0.0.0x1/",
    ],
)  # fmt: skip
async def test_only_push_services_are_posted_to(world: World, address: str) -> None:
    """Not this machine, not its neighbours."""
    maya = await hold(world)
    web = WebPush(endpoint=address, keys=WebPushKeys(p256dh="x", auth="x"))
    with pytest.raises(Invalid):
        await set_subscription(
            world.ports, Phone(maya.phone.factor), NewSubscription(subscription=Subscription(web=web))
        )


@pytest.mark.parametrize(
    "address",
    [
        "https://updates.push.services.mozilla.com/wpush/v2/x",
        "https://xn--bcher-kva.example:8443/x?y",
        "https://push/x",
    ],
)
async def test_names_are_posted_to(world: World, address: str) -> None:
    """Which of them, the settings say when it comes to it."""
    maya = await hold(world)
    web = WebPush(endpoint=address, keys=WebPushKeys(p256dh="x", auth="x"))
    await set_subscription(world.ports, Phone(maya.phone.factor), NewSubscription(subscription=Subscription(web=web)))
    assert (await maya.factor()).public["transports"] == ["web"]


@pytest.mark.parametrize("rest", NO_TOPICS)
async def test_a_phone_names_a_topic_and_nothing_else(world: World, rest: str) -> None:
    """What else a post can do at an ntfy server, it would do with the operator's token."""
    maya = await hold(world)
    told = Subscription(ntfy=f"https://ntfy.example{rest}")
    with pytest.raises(Invalid):
        await set_subscription(world.ports, Phone(maya.phone.factor), NewSubscription(subscription=told))


async def test_without_ntfy_servers_no_topic_is_taken(world: World) -> None:
    """And with one, a topic as UnifiedPush writes it."""
    maya = await hold(world)
    new = NewSubscription(subscription=Subscription(ntfy="https://ntfy.example/upAb_-9?up=1"))
    await set_subscription(world.ports, Phone(maya.phone.factor), new)
    world.ports = replace(world.ports, site=replace(SITE, ntfy_servers=()))
    with pytest.raises(Invalid):
        await set_subscription(world.ports, Phone(maya.phone.factor), new)


async def test_a_signed_request_works_once_and_for_a_minute(world: World) -> None:
    """And for this phone, while its owner may sign in."""
    maya = await hold(world)
    call = {"method": "GET", "path": "/v1/push/factor", "body": b""}

    def token(**fields: Any) -> str:
        return maya.phone.authorization("GET", "/v1/push/factor", **fields).removeprefix("Push ")

    async def refused(given: str) -> bool:
        try:
            await phone_of(world.ports, given, **call)  # type: ignore[arg-type]  # the fields above
        except NotPaired:
            return True
        return False

    first = token()
    assert not await refused(first)
    assert await refused(first)
    late = token()
    world.clock.advance(MINUTE + SECOND)
    assert await refused(late)
    for fields in (
        {"aud": "https://thief.example"},
        {"htm": "PUT"},
        {"htu": "/v1/push/challenges"},
        {"body_hash": "x"},
    ):
        assert await refused(token(**fields))
    for given in ("", "x", "a.b.c", first + "x"):
        assert await refused(given)


@pytest.mark.requirement("P4")
async def test_the_device_of_somebody_else_answers_nothing(maya: Held) -> None:
    """Nor does one's own for somebody else's challenge."""
    ports = maya.world.ports
    await maya.world.person(maya.bank, "ravi")
    enrolled = await enroll_factor(ports, maya.bank, "ravi", NewFactor(kind=FactorKind.PUSH))
    theirs = await paired(maya.world, enrolled.enrollment)
    await activate_factor(ports, maya.bank, "ravi", enrolled.id, Activation())
    challenge, number = await maya.asked(authentication := await maya.begin())
    tries: list[Callable[[], str]] = [
        lambda: theirs.response(challenge, "approve", number),
        lambda: theirs.response(challenge, "approve", number, user=maya.phone.user),
        lambda: PushPhone(theirs.aud, theirs.clock, theirs.key, maya.phone.factor, maya.phone.user).response(
            challenge, "approve", number
        ),
    ]
    from nightlatch.domain.errors import Refusal

    for response in tries:
        with pytest.raises(Refusal):
            await respond(ports, challenge["id"], response())
    assert (await read_authentication(ports, maya.bank, authentication)).status.value == "pending"
    assert [event.reason for event in await maya.world.events("push:response_refused")] == ["bad_signature"]
    assert await maya.answer(challenge, "approve", number) == "approved"
