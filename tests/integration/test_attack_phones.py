"""Whoever holds the key of some application, a password, or a browser, and wants what belongs to the owner of a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_record

from nightlatch.app.authenticate import authenticate
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.factors.unlock import unlock_factor
from nightlatch.app.messages import Activation, NewAuthentication, NewFactor
from nightlatch.app.portal import push as portal
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.portal.session import redeem_link
from nightlatch.app.prompt import push as prompt
from nightlatch.app.prompt.setup import begin_setup, finish_setup
from nightlatch.app.prompt.text import send_text
from nightlatch.app.prompt.view import view_codes
from nightlatch.domain.errors import Conflict, Invalid, NotFound, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.time import DAY, MINUTE, SECOND
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.api import CONTEXT as CONTEXT_API
from tests.support.api import Api, open_api
from tests.support.browsing import pages_with_maya, to_prompt
from tests.support.phones import PushPhone
from tests.support.ports import OPERATOR, SITE, World
from tests.support.post import MAYA, Post, open_post
from tests.support.push_api import enrolled, held
from tests.support.push_app import BACK, CONTEXT, hold, hosted, paired, returning, visiting
from tests.support.push_app import Held as Owner


def other(number: str) -> str:
    """A number that is not this one."""
    return f"{(int(number) + 1) % 10**6:06d}"


@pytest.fixture
async def api(each_world: World) -> AsyncIterator[Api]:
    """The API on each kind of database."""
    async with open_api(each_world) as opened:
        yield opened


@pytest.mark.requirement("B2")
async def test_another_application_turns_on_no_phone_that_it_did_not_begin(api: Api) -> None:
    """It would be handed the first ten backup codes, which are good everywhere."""
    bank, shop = await api.application(), await api.application("enroll", "users:read", name="shop")
    begun = await enrolled(api, bank, user := await api.person(bank))
    answered = await PushPhone(SITE.public_url, api.world.clock).pair(api.http, begun["enrollment"])
    assert answered.json() == {"status": "approved"}
    path = f"/v1/users/{user}/factors/{begun['id']}"
    assert (await shop("GET", path)).json()["pairing"] == "answered"
    refused = await shop("POST", f"{path}/activation", {})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found"), refused.text
    mine = await bank("POST", f"{path}/activation", {})
    assert (mine.status_code, len(mine.json()["backup_codes"])) == (200, 10), mine.text


@pytest.mark.requirement("B2")
async def test_no_key_turns_on_what_was_begun_in_the_prompt(each_world: World) -> None:
    """Not even that of the application that sent the person there: the codes are shown to the person alone."""
    ports, shop = each_world.ports, await returning(each_world)
    await each_world.person(shop)
    new = NewAuthentication(user="maya", context=CONTEXT, return_url=BACK, state="state")
    visit = await visiting(each_world, await authenticate(ports, shop, new))
    await begin_setup(ports, visit, FactorKind.PUSH)
    shown = await prompt.view_pairing(ports, visit)
    assert shown is not None
    phone = await paired(each_world, shown.enrollment)
    with pytest.raises(NotFound):
        await activate_factor(ports, shop, "maya", phone.factor, Activation())
    assert (await finish_setup(ports, visit, None)).rejection is None
    assert len(await view_codes(ports, visit)) == 10


@pytest.mark.requirement("P5")
async def test_an_application_that_knows_a_device_leaves_others_alone(api: Api) -> None:
    """It gives device tokens as it likes: none ends what a bank asks, or uses up what is left to the bank."""
    maya = await held(api)
    tokens = []
    for app in (maya.bank, shop := await api.application("authenticate", name="shop")):
        at = replace(maya, bank=app)
        challenge, number = await at.asked(path := await at.begin())
        assert await at.answer(challenge, "approve", number) == "approved"
        tokens.append((await app("GET", path)).json()["device_token"])
    bank = {"context": CONTEXT_API | {"device_token": tokens[0]}}
    elsewhere = replace(maya, bank=shop)
    challenge, number = await maya.asked(await maya.begin(**bank))
    for _ in range(4):
        path = await elsewhere.begin(context=CONTEXT_API | {"device_token": tokens[1]})
        refused = await elsewhere.ask(path)
        assert (refused.status_code, refused.json()["code"]) == (429, "throttled"), refused.text
    assert await maya.answer(challenge, "approve", number) == "approved"
    path = await elsewhere.begin(context=CONTEXT_API | {"device_token": tokens[1]})
    assert [(await elsewhere.ask(path)).status_code for _ in range(4)] == [201, 201, 201, 429]
    api.world.clock.advance(120 * SECOND)
    challenge, number = await maya.asked(await maya.begin(**bank))
    assert await maya.answer(challenge, "approve", number) == "approved"


@pytest.fixture
async def mailed(each_world: World) -> AsyncIterator[tuple[Post, Owner]]:
    """Maya, who reads mail, with her phone."""
    async with open_post(each_world) as post:
        await post.person(MAYA)
        caller = post.pages.bank.caller
        begun = await enroll_factor(each_world.ports, caller, "maya", NewFactor(kind=FactorKind.PUSH))
        owner = Owner(each_world, caller, await paired(each_world, begun.enrollment))
        await activate_factor(each_world.ports, caller, "maya", begun.id, Activation())
        await post.new()
        yield post, owner


@pytest.mark.requirement("N2")
async def test_a_wrong_number_on_the_phone_is_told_once_an_hour(mailed: tuple[Post, Owner]) -> None:
    """As any wrong code after a right password is."""
    post, maya = mailed
    for minutes, told in ((0, True), (1, False), (60, True)):
        post.world.clock.advance(minutes * MINUTE)
        challenge, number = await maya.asked(await maya.begin())
        assert await maya.answer(challenge, "approve", other(number)) == "wrong_number"
        subjects = [got.subject for got in await post.new()]
        assert subjects == ["Somebody could not sign in as you at Meridian Bank"] * told


@pytest.mark.requirement("P5")
async def test_who_rings_all_day_fills_no_mailbox(mailed: tuple[Post, Owner]) -> None:
    """Of every third ring, an hour's first is told of."""
    post, maya = mailed
    rang = 0
    for _ in range(60):
        with suppress(Throttled):
            rang += bool(await maya.asked(await maya.begin()))
        post.world.clock.advance(3 * MINUTE)
    subjects = [got.subject for got in await post.new()]
    assert rang > 40
    assert subjects == ["Somebody asked your phone to sign in at Meridian Bank"] * 3


@pytest.mark.requirement("P5")
async def test_a_success_on_one_phone_counts_for_all(api: Api) -> None:
    """What is counted over all phones of a person starts anew on all."""
    maya = await held(api)
    challenge, number = await maya.asked(path := await maya.begin(action="manage_factors"))
    assert await maya.answer(challenge, "approve", number) == "approved"
    begun = await enrolled(api, maya.bank, maya.user, approval=path.rpartition("/")[2])
    second = replace(maya, phone=PushPhone(SITE.public_url, api.world.clock))
    await second.phone.pair(api.http, begun["enrollment"])
    await maya.bank("POST", f"/v1/users/{maya.user}/factors/{begun['id']}/activation", {})
    for _ in range(2):
        challenge, number = await second.asked(await second.begin())
        assert await second.answer(challenge, "approve", other(number)) == "wrong_number"
    challenge, number = await maya.asked(await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"
    for _ in range(3):
        challenge, number = await maya.asked(await maya.begin())
        assert await maya.answer(challenge, "approve", other(number)) == "wrong_number"
    assert (await maya.ask(await maya.begin())).status_code == 429


@pytest.mark.requirement("P5", "H1")
async def test_an_operator_frees_a_phone_that_is_the_only_way(mailed: tuple[Post, Owner]) -> None:
    """Once they know whom they talk to; it is told by mail, and kept with the operator's name."""
    post, maya = mailed
    ports, factor = post.world.ports, maya.phone.factor
    assert not await unlock_factor(ports, OPERATOR, "maya", factor)
    challenge, _ = await maya.asked(await maya.begin())
    assert await maya.answer(challenge, "not_me") == "not_me"
    post.world.clock.advance(365 * DAY)
    with pytest.raises(Conflict, match="push_locked"):
        await maya.asked(await maya.begin())
    await post.new()
    assert await unlock_factor(ports, OPERATOR, "maya", factor)
    (told,) = await post.new()
    assert told.subject == "A way to sign in that had stopped works again at Meridian"
    assert "a phone that approves" in told.body()
    (event,) = await post.world.events("factor:unlocked")
    assert (event.actor, event.factor, event.data) == (OPERATOR.actor, factor, {"phones": [factor]})
    challenge, number = await maya.asked(await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"


@pytest.mark.requirement("H1")
async def test_an_operator_frees_a_way_that_guessing_stopped(each_world: World) -> None:
    """Of whoever has no other."""
    bank = await each_world.application()
    await each_world.person(bank)
    phone, _ = await each_world.activated(bank, "maya", FactorKind.TOTP)
    user = await each_world.ports.store.load(UserKey(username="maya"))
    stopped = replace_record(user.states[phone.factor_id], failures_other=80)
    change = Change(root=stopped.user_id, expected=user.version, puts=(stopped,))
    assert await each_world.ports.store.commit(change) is Outcome.APPLIED
    for freed in (True, False):
        assert await unlock_factor(each_world.ports, OPERATOR, "maya", phone.factor_id) is freed
    state = (await each_world.ports.store.load(UserKey(username="maya"))).states[phone.factor_id]
    assert (state.failures_other, state.blocked_other_until, state.counter) == (0, 0, stopped.counter)


@pytest.mark.requirement("G1")
async def test_an_approval_that_no_page_fetched_is_in_the_audit_log(each_world: World) -> None:
    """Somebody said yes: whoever closed the page, it happened."""
    maya = await hold(each_world)
    link = await new_portal_link(each_world.ports, maya.bank, "maya")
    token = await redeem_link(each_world.ports, link.url.partition("ticket=")[2], CONTEXT.ip)
    await portal.start_push(each_world.ports, token, factor_id=maya.phone.factor)
    shown = await portal.view_push(each_world.ports, token)
    assert shown is not None
    assert await maya.answer(await maya.challenge(), "approve", shown.number) == "approved"
    (event,) = await each_world.events("portal:phone_approved")
    assert (event.outcome, event.factor) == ("success", maya.phone.factor)
    assert not await each_world.events("portal:proved")


@pytest.mark.requirement("G1")
async def test_what_a_phone_did_says_where_it_was(api: Api) -> None:
    """The address that its own requests came from."""
    maya = await held(api)
    challenge, _ = await maya.asked(await maya.begin())
    await maya.phone.answer(api.http, challenge | {"nonce": "another"}, "deny")
    assert await maya.answer(challenge, "not_me") == "not_me"
    for type_ in ("push:phone_paired", "push:pairing_answered", "push:response_refused", "push:locked"):
        (event,) = await api.world.events(type_)
        assert (event.personal or {}).get("ip") == "192.0.2.99", type_


@pytest.mark.requirement("P5")
async def test_the_way_to_a_text_asks_no_phone(each_world: World) -> None:
    """It would ring without being shown its number, and say nothing of a phone that is asked no more."""
    maya = await hold(each_world)
    maya.bank = await returning(each_world)
    visit = await hosted(maya)
    with pytest.raises(Invalid):
        await send_text(each_world.ports, visit, maya.phone.factor)
    assert await prompt.view_push(each_world.ports, visit) is None


@pytest.mark.requirement("P5", "G1")
async def test_a_phone_that_is_not_asked_is_refused_and_kept(each_world: World) -> None:
    """From the prompt and from a person's own page, once the trace of it is stored."""
    ports, maya = each_world.ports, await hold(each_world)
    maya.bank = await returning(each_world)
    await maya.asked(await maya.begin())
    with pytest.raises(Throttled):
        await prompt.start_push(ports, await hosted(maya), factor_id=maya.phone.factor, remember=False)
    link = await new_portal_link(ports, maya.bank, "maya")
    token = await redeem_link(ports, link.url.partition("ticket=")[2], CONTEXT.ip)
    with pytest.raises(Throttled):
        await portal.start_push(ports, token, factor_id=maya.phone.factor)
    assert len(await each_world.events("push:not_asked")) == 2


@pytest.mark.requirement("K1", "P2")
async def test_no_stored_answer_holds_a_number(api: Api) -> None:
    """Who lost the answer asks again; the phone then waits for another number."""
    maya = await held(api)
    path = await maya.begin()
    key = {"idempotency-key": "one-and-the-same"}
    body = {"factor": maya.phone.factor}
    first = await maya.bank("POST", f"{path}/challenges", body, headers=key)
    assert len(first.json()["number"]) == 6
    again = await maya.bank("POST", f"{path}/challenges", body, headers=key)
    assert (again.status_code, again.json()["code"], again.json()["id"]) == (409, "already_created", first.json()["id"])
    assert "number" not in again.json()
    challenge, number = await maya.asked(path)
    assert await maya.answer(challenge, "approve", number) == "approved"


async def test_the_prompt_names_what_is_approved(world: World) -> None:
    """Whoever follows somebody else's prompt reads that it is no sign-in."""
    pages = await pages_with_maya(world)
    await world.activated(pages.bank.caller, "maya")
    said = {
        "login": None,
        "manage_factors": "You are about to let Meridian Bank change how you sign in.",
        "pay_invoice": "You are about to confirm this to Meridian Bank: pay invoice.",
    }
    for action, words in said.items():
        async with pages.browser() as browser:
            await to_prompt(pages, browser, action=action)
            assert "Enter your code." in browser.text
            assert ("You are about to" in browser.text) is (words is not None)
            assert words is None or words in browser.text
