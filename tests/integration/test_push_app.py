"""Push as use cases: crowds, pages, messages, and what a phone says of how it is rung."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from nightlatch.app.authenticate import authenticate
from nightlatch.app.challenge import open_challenge
from nightlatch.app.context import Caller
from nightlatch.app.deliver.messages import message_place
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.messages import Activation, ContextIn, NewAuthentication, NewChallenge, NewFactor, ResultRequest
from nightlatch.app.portal import push as portal
from nightlatch.app.portal.changes import begin_phone, stop_app, turn_on
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.portal.session import SignedOut, enter, redeem_link
from nightlatch.app.prompt import push as prompt
from nightlatch.app.prompt.leave import leave_prompt
from nightlatch.app.prompt.open import open_prompt
from nightlatch.app.prompt.session import Visit
from nightlatch.app.prompt.setup import begin_setup, codes_saved, finish_setup
from nightlatch.app.prompt.view import Stage, view_codes, view_prompt
from nightlatch.app.push.caller import NotPaired, Phone, phone_of
from nightlatch.app.push.challenges import list_challenges
from nightlatch.app.push.messages import NewPairing, NewSubscription, Subscription
from nightlatch.app.push.pair import pair
from nightlatch.app.push.prune import prune_subscription
from nightlatch.app.push.respond import respond
from nightlatch.app.push.sealed import open_push_secret
from nightlatch.app.push.subscription import set_subscription
from nightlatch.app.read_authentication import read_authentication
from nightlatch.app.result import redeem_result
from nightlatch.domain.errors import Conflict, Invalid, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Channel, Factor, FactorStatus, OutboxMessage
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.store import UserKey
from tests.support.phones import PushPhone
from tests.support.ports import OPERATOR, SITE, World

CROWD = 50
CONTEXT = ContextIn(ip="192.0.2.1", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
BACK = "https://bank.example/back"
NTFY = {"ntfy": "https://ntfy.example/up"}


async def crowd(calls: list[Awaitable[Any]]) -> list[Any]:
    """All at once: what those answered that were not refused."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert all(not isinstance(one, BaseException) or isinstance(one, (Throttled, Invalid, Conflict)) for one in done), (
        done
    )
    return [one for one in done if not isinstance(one, BaseException)]


@dataclass
class Held:
    """A person with a paired phone."""

    world: World
    bank: Caller
    phone: PushPhone

    async def begin(self, **fields: Any) -> str:
        """A sign-in that waits."""
        new = NewAuthentication(user="maya", context=CONTEXT, **fields)
        return (await authenticate(self.world.ports, self.bank, new)).id

    async def asked(self, authentication: str) -> tuple[dict[str, Any], str]:
        """The challenge as the phone is told of it, and the number."""
        new = NewChallenge(factor=self.phone.factor)
        opened = await open_challenge(self.world.ports, self.bank, authentication, new)
        assert opened.number is not None
        return await self.challenge(), opened.number

    async def challenge(self) -> dict[str, Any]:
        """What waits for the phone."""
        (waits,) = (await list_challenges(self.world.ports, Phone(self.phone.factor))).challenges
        plain: dict[str, Any] = msgspec.to_builtins(waits)
        return plain

    async def answer(self, challenge: dict[str, Any], decision: str, number: str | None = None) -> str:
        """What the server says to an answer."""
        response = self.phone.response(challenge, decision, number)
        return (await respond(self.world.ports, challenge["id"], response)).status

    async def factor(self) -> Factor:
        """The phone's row."""
        snapshot = await self.world.ports.store.load(UserKey(factor=self.phone.factor))
        return next(factor for factor in snapshot.factors if factor.id == self.phone.factor)


async def paired(world: World, enrollment: Any, **fields: Any) -> PushPhone:
    """A phone that took a code and answered its number."""
    phone = PushPhone(SITE.public_url, world.clock)
    body = msgspec.convert(phone.pairing(enrollment.code, **fields), NewPairing)
    challenge = phone.paired(msgspec.to_builtins(await pair(world.ports, body)))
    response = phone.response(challenge, "approve", enrollment.number)
    assert (await respond(world.ports, challenge["id"], response)).status == "approved"
    return phone


async def hold(world: World) -> Held:
    """Maya and her phone, which ntfy rings."""
    bank = await world.application()
    await world.person(bank)
    enrolled = await enroll_factor(world.ports, bank, "maya", NewFactor(kind=FactorKind.PUSH))
    phone = await paired(world, enrolled.enrollment, subscription=NTFY)
    await activate_factor(world.ports, bank, "maya", enrolled.id, Activation())
    return Held(world, bank, phone)


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
        assert not any(number.encode() in opened or number.encode() in sealed for number in numbers)
        assert "bank" in payload["title"]


async def hosted(maya: Held) -> Visit:
    """A browser at the hosted prompt of a sign-in."""
    new = NewAuthentication(user="maya", context=CONTEXT, return_url=BACK, state="state")
    return await visiting(maya.world, await authenticate(maya.world.ports, maya.bank, new))


async def visiting(world: World, begun: Any) -> Visit:
    """A browser that opened a prompt."""
    ticket = parse_qs(urlsplit(begun.prompt_url).query)["ticket"][0]
    secret = await open_prompt(world.ports, Visit(begun.id, None), ticket, CONTEXT.ip)
    return Visit(begun.id, secret)


async def returning(world: World) -> Caller:
    """An application that people come back to."""
    from nightlatch.app.applications.by_key import caller_by_key
    from nightlatch.app.applications.create import create_application
    from nightlatch.app.messages import NewApplication

    new = NewApplication(name="shop", scopes=["admin"], return_urls=[BACK], first_factor="pwd")
    return await caller_by_key(world.ports, (await create_application(world.ports, OPERATOR, new)).api_key)


async def test_the_prompt_shows_the_number_and_how_it_stands(maya: Held) -> None:
    """Then the application fetches the result, as ever."""
    ports = maya.world.ports
    maya.bank = await returning(maya.world)
    visit = await hosted(maya)
    assert await prompt.view_push(ports, visit) is None
    await prompt.start_push(ports, visit, factor_id=maya.phone.factor, remember=True)
    shown = await prompt.view_push(ports, visit)
    assert shown is not None
    assert shown.state == "waiting"
    assert (
        await maya.answer(await maya.challenge(), "approve", f"{(int(shown.number or 0) + 1) % 10**6:06d}")
        == "wrong_number"
    )
    assert (await prompt.view_push(ports, visit) or shown).state == "wrong_number"
    await prompt.start_push(ports, visit, factor_id=maya.phone.factor, remember=True)
    shown = await prompt.view_push(ports, visit)
    assert shown is not None
    assert await maya.answer(await maya.challenge(), "approve", shown.number) == "approved"
    assert (await prompt.view_push(ports, visit) or shown).state == "approved"
    assert (await view_prompt(ports, visit)).stage is Stage.LEAVE
    told = await read_authentication(ports, maya.bank, visit.authentication_id)
    assert (told.status.value, told.assertion, told.device_token) == ("approved", None, None)
    code = parse_qs(urlsplit(await leave_prompt(ports, visit)).query)["code"][0]
    result = await redeem_result(ports, maya.bank, visit.authentication_id, ResultRequest(code=code))
    assert result.assertion
    assert result.device_token


async def test_the_prompt_says_that_it_is_over(maya: Held) -> None:
    """After two minutes, and when another sign-in was asked instead."""
    ports = maya.world.ports
    maya.bank = await returning(maya.world)
    visit = await hosted(maya)
    await prompt.start_push(ports, visit, factor_id=maya.phone.factor, remember=False)
    maya.world.clock.advance(120 * SECOND)
    shown = await prompt.view_push(ports, visit)
    assert shown is not None
    assert (shown.state, shown.number) == ("expired", None)
    with pytest.raises(Invalid):
        await prompt.start_push(ports, visit, factor_id="fac_" + "0" * 32, remember=False)


@pytest.mark.requirement("H6", "B2")
@pytest.mark.parametrize("known", [True, False])
async def test_a_phone_is_paired_in_the_prompt_by_somebody_and_by_nobody(each_world: World, known: bool) -> None:
    """Nobody's is never answered, and looks the same."""
    ports, shop = each_world.ports, await returning(each_world)
    if known:
        await each_world.person(shop)
    new = NewAuthentication(user="maya", context=CONTEXT, return_url=BACK, state="state")
    visit = await visiting(each_world, await authenticate(ports, shop, new))
    assert await prompt.view_pairing(ports, visit) is None
    if not known and (await view_prompt(ports, visit)).stage is Stage.REFUSED:
        return
    await begin_setup(ports, visit, FactorKind.PUSH)
    shown = await prompt.view_pairing(ports, visit)
    assert shown is not None
    assert shown.enrollment is not None
    assert (shown.state, len(shown.enrollment.code or ""), len(shown.number or "")) == ("waiting", 24, 6)
    with pytest.raises(Conflict, match="pairing_unfinished"):
        await finish_setup(ports, visit, None)
    if not known:
        phone = PushPhone(SITE.public_url, each_world.clock)
        with pytest.raises(Invalid):
            await pair(ports, msgspec.convert(phone.pairing(shown.enrollment.code or ""), NewPairing))
        return
    await paired(each_world, shown.enrollment)
    assert (await prompt.view_pairing(ports, visit) or shown).state == "answered"
    assert (await finish_setup(ports, visit, None)).rejection is None
    assert len(await view_codes(ports, visit)) == 10
    await codes_saved(ports, visit)
    kept = (await ports.store.load(UserKey(authentication=visit.authentication_id))).authentication
    assert kept is not None
    assert (kept.status.value, kept.amr) == ("approved", ("mfa", "pwd", "swk"))


async def own_page(maya: Held) -> str:
    """A session on Maya's own page."""
    link = await new_portal_link(maya.world.ports, maya.bank, "maya")
    ticket = parse_qs(urlsplit(link.url).query)["ticket"][0]
    return await redeem_link(maya.world.ports, ticket, CONTEXT.ip)


@pytest.mark.requirement("E2", "E4")
async def test_a_phone_proves_on_the_person_s_own_page(maya: Held) -> None:
    """Once, for the session that asked; then another phone can be paired there."""
    ports = maya.world.ports
    session, other = await own_page(maya), await own_page(maya)
    assert await portal.view_push(ports, session) is None
    await portal.start_push(ports, session, factor_id=maya.phone.factor)
    shown = await portal.view_push(ports, session)
    assert shown is not None
    challenge = await maya.challenge()
    assert (challenge["action"], challenge["place"]) == ("portal", None)
    with pytest.raises(Conflict, match="not_approved"):
        await portal.finish_push(ports, session, peer=CONTEXT.ip)
    assert await maya.answer(challenge, "approve", shown.number) == "approved"
    with pytest.raises(Conflict, match="not_approved"):
        await portal.finish_push(ports, other, peer=CONTEXT.ip)
    proof = await portal.finish_push(ports, session, peer=CONTEXT.ip)
    with pytest.raises(SignedOut):
        await portal.finish_push(ports, session, peer=CONTEXT.ip)
    await begin_phone(ports, proof.session)
    pairing = portal.view_pairing(ports, await enter(ports, proof.session))
    assert pairing is not None
    second = await paired(maya.world, pairing.enrollment)
    assert (await turn_on(ports, proof.session, None, "")).session
    maya.phone = second
    assert (await maya.factor()).status is FactorStatus.ACTIVE


@pytest.mark.requirement("P5")
async def test_a_no_on_the_person_s_own_page_counts_as_any(maya: Held) -> None:
    """Whoever opened the link is a stranger."""
    ports = maya.world.ports
    session = await own_page(maya)
    for _ in range(2):
        await portal.start_push(ports, session, factor_id=maya.phone.factor)
        assert await maya.answer(await maya.challenge(), "deny") == "denied"
        with pytest.raises(Conflict, match="not_approved"):
            await portal.finish_push(ports, session, peer=CONTEXT.ip)
    with pytest.raises(Conflict, match="push_locked"):
        await portal.start_push(ports, session, factor_id=maya.phone.factor)
    assert [event.reason for event in await maya.world.events("portal:answer_refused")] == ["denied_on_phone"] * 2


async def test_what_was_begun_on_the_person_s_own_page_can_be_dropped(maya: Held) -> None:
    """The code is of no use then."""
    ports = maya.world.ports
    session = await own_page(maya)
    await portal.start_push(ports, session, factor_id=maya.phone.factor)
    shown = await portal.view_push(ports, session)
    assert shown is not None
    await maya.answer(await maya.challenge(), "approve", shown.number)
    proved = (await portal.finish_push(ports, session, peer=CONTEXT.ip)).session
    await begin_phone(ports, proved)
    pairing = portal.view_pairing(ports, await enter(ports, proved))
    await stop_app(ports, proved)
    assert pairing is not None
    assert pairing.enrollment is not None
    body = PushPhone(SITE.public_url, maya.world.clock).pairing(pairing.enrollment.code or "")
    with pytest.raises(Invalid):
        await pair(ports, msgspec.convert(body, NewPairing))


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
        "https://push.example/#x", "https://push.example/\n",
    ],
)  # fmt: skip
async def test_only_push_services_are_posted_to(world: World, address: str) -> None:
    """Not this machine, not its neighbours."""
    maya = await hold(world)
    new = NewSubscription(subscription=Subscription(ntfy=address))
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
