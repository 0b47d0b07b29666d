"""Somebody holds on to what was true a moment ago: a pending sign-in, an approval, a proved page, a result code."""

from __future__ import annotations

import pytest

from nightlatch.adapters.sql.retention import KEEP_NETWORKS, Retention
from nightlatch.app.answer import answer
from nightlatch.app.applications.by_key import caller_by_key
from nightlatch.app.applications.revoke import revoke_application
from nightlatch.app.applications.rotate import rotate_key
from nightlatch.app.authenticate import authenticate
from nightlatch.app.context import Caller
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.factors.find import list_factors
from nightlatch.app.factors.remove import remove_factor
from nightlatch.app.messages import (
    Activation,
    AuthenticationAnswer,
    ContextIn,
    NewAuthentication,
    NewFactor,
    NewVerification,
    UserPatch,
)
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.portal.changes import begin_app, remove, stop_app
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.portal.prove import prove
from nightlatch.app.portal.session import LinkDead, SignedOut, enter, redeem_link
from nightlatch.app.read_authentication import read_authentication
from nightlatch.app.skip import skip
from nightlatch.app.users.change import change_user
from nightlatch.domain.errors import Conflict, NotFound, StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.otpauth import parse
from nightlatch.domain.time import DAY, SECOND
from tests.support.browsing import Pages, open_pages
from tests.support.ports import OPERATOR, Phone, World

TOTP = FactorKind.TOTP
REMEMBERING = """
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  risk_based_prompting: [{new_device: prompt_mfa}]
"""


@pytest.fixture
async def pages(world: World) -> Pages:
    """Pages, a bank, and Maya."""
    opened = await open_pages(world)
    await world.person(opened.bank.caller)
    return opened


@pytest.fixture
async def bank(pages: Pages) -> Caller:
    """The bank, as it calls."""
    return pages.bank.caller


async def begun(world: World, caller: Caller, action: str = "login") -> AuthenticationAnswer:
    """A sign-in of Maya's, as policy decides it now."""
    request = NewAuthentication(user="maya", action=action, context=ContextIn(ip="192.0.2.1"))
    return await authenticate(world.ports, caller, request)


async def two_phones(world: World, bank: Caller) -> tuple[Phone, Phone]:
    """Maya with two active factors."""
    first, _ = await world.activated(bank, "maya")
    leave = await world.approval(bank, "maya", first.code())
    enrolled = await enroll_factor(world.ports, bank, "maya", NewFactor(kind=TOTP, approval=leave))
    second = Phone(world.clock, enrolled.id, parse(enrolled.enrollment.uri))
    await activate_factor(world.ports, bank, "maya", second.factor_id, Activation(code=second.code()))
    world.clock.advance(30 * SECOND)
    return first, second


async def approval(world: World, bank: Caller, phone: Phone, action: str = "manage_factors") -> str:
    """The id of a sign-in that was approved with this phone."""
    attempt = await begun(world, bank, action)
    given = NewVerification(code=phone.code(), factor=phone.factor_id)
    assert (await answer(world.ports, bank, attempt.id, given)).status == "approved"
    world.clock.advance(30 * SECOND)
    return attempt.id


async def disable(world: World) -> None:
    """The operator acts."""
    await change_user(world.ports, OPERATOR, "maya", UserPatch(status="disabled"))


@pytest.mark.requirement("G3")
async def test_a_disabled_person_puts_nothing_off(world: World, bank: Caller) -> None:
    """The sign-in was begun while it might still be skipped."""
    attempt = await begun(world, bank)
    assert attempt.decision == "enroll"
    await disable(world)
    with pytest.raises(Conflict, match="not_skippable"):
        await skip(world.ports, bank, attempt.id)


@pytest.mark.requirement("B1")
async def test_who_set_up_a_factor_meanwhile_puts_nothing_off(world: World, bank: Caller) -> None:
    """A thief of the password begins before Maya sets up her app, and skips after it."""
    attempt = await begun(world, bank)
    await world.activated(bank, "maya")
    with pytest.raises(Conflict, match="not_skippable"):
        await skip(world.ports, bank, attempt.id)


@pytest.mark.requirement("G3")
async def test_no_assertion_for_who_was_disabled_since(world: World, bank: Caller) -> None:
    """An approval can be read again for five minutes, but not by then."""
    phone, _ = await world.activated(bank, "maya")
    login = await approval(world, bank, phone, "login")
    assert (await read_authentication(world.ports, bank, login)).assertion
    await disable(world)
    assert (await read_authentication(world.ports, bank, login)).assertion is None


@pytest.mark.requirement("R6")
async def test_no_assertion_by_a_factor_that_was_removed_since(world: World, bank: Caller) -> None:
    """A lost factor is dead at once, and so is what it just approved."""
    first, second = await two_phones(world, bank)
    login = await approval(world, bank, second, "login")
    await remove_factor(world.ports, bank, "maya", second.factor_id, await approval(world, bank, first))
    assert (await read_authentication(world.ports, bank, login)).assertion is None


@pytest.mark.requirement("R6", "B1")
async def test_an_approval_dies_with_the_factor_that_gave_it(world: World, bank: Caller) -> None:
    """Who holds the stolen phone approves in advance; its owner removes it; the approval adds nothing."""
    first, second = await two_phones(world, bank)
    stolen = await approval(world, bank, second)
    owner = await approval(world, bank, first)
    await remove_factor(world.ports, bank, "maya", second.factor_id, owner)
    with pytest.raises(StepUpRequired):
        await enroll_factor(world.ports, bank, "maya", NewFactor(kind=TOTP, approval=stolen))


@pytest.mark.requirement("R6", "B1")
async def test_what_the_lost_factor_began_goes_with_it(world: World, bank: Caller) -> None:
    """The thief has already used the approval: a new app waits for its first code when the owner removes the phone."""
    first, second = await two_phones(world, bank)
    leave = await approval(world, bank, second)
    thief = await enroll_factor(world.ports, bank, "maya", NewFactor(kind=TOTP, approval=leave))
    await remove_factor(world.ports, bank, "maya", second.factor_id, await approval(world, bank, first))
    app = Phone(world.clock, thief.id, parse(thief.enrollment.uri))
    with pytest.raises(NotFound):
        await activate_factor(world.ports, bank, "maya", thief.id, Activation(code=app.code()))
    removed = await world.events("factor:removed")
    assert {event.factor: event.data["status"] for event in removed} == {
        second.factor_id: "active",
        thief.id: "pending",
    }


async def proved_page(world: World, bank: Caller, phone: Phone) -> str:
    """A session on Maya's own page in which this phone was proved."""
    link = await new_portal_link(world.ports, bank, "maya")
    token = await redeem_link(world.ports, link.url.partition("ticket=")[2], "192.0.2.1")
    proved = await prove(world.ports, token, factor_id=phone.factor_id, code=phone.code(), peer="192.0.2.1")
    assert proved.session is not None
    world.clock.advance(30 * SECOND)
    return proved.session


@pytest.mark.requirement("R6", "E4")
async def test_a_page_changes_nothing_once_the_factor_that_was_proved_there_is_gone(world: World, bank: Caller) -> None:
    """The thief of a phone proves it on Maya's page; she removes the phone from hers."""
    first, second = await two_phones(world, bank)
    thief = await proved_page(world, bank, second)
    owner = await proved_page(world, bank, first)
    await remove(world.ports, owner, second.factor_id)
    with pytest.raises(StepUpRequired):
        await begin_app(world.ports, thief)
    with pytest.raises(StepUpRequired):
        await remove(world.ports, thief, first.factor_id)


async def hosted(pages: Pages, phone: Phone) -> tuple[AuthenticationAnswer, dict[str, str]]:
    """A sign-in that was approved in the prompt, to be remembered; its result is not fetched yet."""
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None
    async with pages.browser() as browser:
        await browser.get(attempt.prompt_url)
        await browser.submit("/code", way=phone.factor_id, code=phone.code(), remember="yes")
        pages.world.clock.advance(30 * SECOND)
        return attempt, browser.left_with


@pytest.mark.requirement("R6")
async def test_no_result_for_a_factor_that_was_removed_before_it_was_fetched(pages: Pages, bank: Caller) -> None:
    """Removing a factor forgets every browser; none may come back by a result that was still on its way."""
    world = pages.world
    await apply_policy(world.ports, OPERATOR, REMEMBERING, None)
    first, second = await two_phones(world, bank)
    leave = await approval(world, bank, first)
    attempt, left = await hosted(pages, second)
    await remove_factor(world.ports, bank, "maya", second.factor_id, leave)
    result = await pages.bank.result(left)
    assert (result.status, result.assertion, result.device_token) == ("rejected", None, None), attempt.id


@pytest.mark.requirement("G3")
async def test_no_result_for_who_was_disabled_before_it_was_fetched(pages: Pages, bank: Caller) -> None:
    """Neither an assertion nor a browser that would be known when they are enabled again."""
    world = pages.world
    phone, _ = await world.activated(bank, "maya")
    _, left = await hosted(pages, phone)
    await disable(world)
    result = await pages.bank.result(left)
    assert (result.status, result.assertion, result.device_token) == ("rejected", None, None)


@pytest.mark.requirement("G1")
async def test_what_is_dropped_on_the_own_page_is_told(world: World, bank: Caller) -> None:
    """A factor that was begun and given up leaves a trace, whoever begins it."""
    link = await new_portal_link(world.ports, bank, "maya")
    token = await redeem_link(world.ports, link.url.partition("ticket=")[2], "192.0.2.1")
    await begin_app(world.ports, token)
    await stop_app(world.ports, token)
    assert [event.data["status"] for event in await world.events("factor:removed")] == ["pending"]
    assert not (await list_factors(world.ports, bank, "maya")).data


async def test_what_holds_still_holds(world: World, bank: Caller) -> None:
    """The owner's own ways, beside all that: an answer, and another page change in the same five minutes."""
    first, second = await two_phones(world, bank)
    attempt = await begun(world, bank)
    answered = await answer(world.ports, bank, attempt.id, NewVerification(code=first.code(), factor=first.factor_id))
    assert answered.assertion
    world.clock.advance(30 * SECOND)
    owner = await proved_page(world, bank, first)
    await remove(world.ports, owner, second.factor_id)
    await begin_app(world.ports, owner)


@pytest.mark.requirement("X5", "E4")
async def test_links_pages_and_prompts_end_with_the_application_that_began_them(pages: Pages, bank: Caller) -> None:
    """Its key was stolen, and used to make links to other people's pages; so it was revoked."""
    world = pages.world
    assert bank.application is not None
    used, unused = [(await new_portal_link(world.ports, bank, "maya")).url.partition("ticket=")[2] for _ in range(2)]
    token = await redeem_link(world.ports, used, "192.0.2.1")
    begun_before, opened_before = await pages.bank.send(), await pages.bank.send()
    assert begun_before.prompt_url is not None
    assert opened_before.prompt_url is not None
    async with pages.browser() as browser:
        await browser.get(opened_before.prompt_url)
        await revoke_application(world.ports, OPERATOR, bank.application.id)
        await browser.submit("/setup")
        assert browser.page.status_code == 404
        await browser.get(begun_before.prompt_url)
        assert browser.page.status_code == 404
    with pytest.raises(LinkDead):
        await redeem_link(world.ports, unused, "192.0.2.1")
    with pytest.raises(SignedOut):
        await enter(world.ports, token)
    with pytest.raises(SignedOut):
        await begin_app(world.ports, token)


@pytest.mark.requirement("X5", "E4")
async def test_links_and_pages_end_with_the_key_that_began_them(each_world: World) -> None:
    """Its key was stolen, and used to make links to the pages of people without a factor; so it was rotated.

    Who proved a factor is the person, whoever made the link; sign-ins under way are finished, and fetched by the new key.
    """
    world, pages = each_world, await open_pages(each_world)
    bank = pages.bank.caller
    await world.person(bank)
    assert bank.application is not None
    phone, _ = await world.activated(bank, "maya")
    owner = await proved_page(world, bank, phone)
    await world.person(bank, "ravi")
    used, unused = [(await new_portal_link(world.ports, bank, "ravi")).url.partition("ticket=")[2] for _ in range(2)]
    token = await redeem_link(world.ports, used, "192.0.2.1")
    await begin_app(world.ports, token)
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None

    rotated = await rotate_key(world.ports, OPERATOR, bank.application.id)

    with pytest.raises(LinkDead):
        await redeem_link(world.ports, unused, "192.0.2.1")
    with pytest.raises(SignedOut):
        await enter(world.ports, token)
    with pytest.raises(SignedOut):
        await begin_app(world.ports, token)
    await begin_app(world.ports, owner)
    pages.bank.caller = again = await caller_by_key(world.ports, rotated.api_key)
    async with pages.browser() as maya:
        await maya.get(attempt.prompt_url)
        await maya.submit("/code", code=phone.code())
        assert (await pages.bank.result(maya.left_with)).status == "approved"
    link = (await new_portal_link(world.ports, again, "ravi")).url.partition("ticket=")[2]
    await enter(world.ports, await redeem_link(world.ports, link, "192.0.2.1"))


NEW_PLACE = """
mfa_enforcement:
  all_users: true
  risk_based_prompting: [{new_location: prompt_mfa}]
"""
THIEF = "203.0.113.66"


@pytest.mark.requirement("X5")
async def test_a_place_that_the_browser_was_not_at_is_not_remembered(pages: Pages, bank: Caller) -> None:
    """A thief of the password begins where he is, and has Maya answer in her browser, where she is."""
    world = pages.world
    await apply_policy(world.ports, OPERATOR, NEW_PLACE, None)
    phone, _ = await world.activated(bank, "maya")
    attempt = await pages.bank.send(ip=THIEF)
    assert attempt.prompt_url is not None
    async with pages.browser() as maya:
        await maya.get(attempt.prompt_url)
        await maya.submit("/code", code=phone.code())
        assert (await pages.bank.result(maya.left_with)).status == "approved"
    assert (await pages.bank.send(ip=THIEF)).decision == "challenge"


@pytest.mark.requirement("G3")
async def test_a_place_that_somebody_left_long_ago_is_new_again(each_world: World) -> None:
    """Who lives where Maya lived half a year ago is not taken for her. Where she still comes from stays known."""
    world = each_world
    bank = await world.application()
    await world.person(bank)
    await apply_policy(world.ports, OPERATOR, NEW_PLACE, None)
    phone, _ = await world.activated(bank, "maya")
    await world.approval(bank, "maya", phone.code(), action="login")

    async def decision() -> str:
        await Retention(world.database, world.clock).run_once()
        return (await begun(world, bank)).decision

    assert await decision() == "allow"
    world.clock.advance(100 * DAY)
    assert await decision() == "allow"
    await world.approval(bank, "maya", phone.code())
    world.clock.advance(KEEP_NETWORKS)
    assert await decision() == "allow"
    world.clock.advance(DAY)
    assert await decision() == "challenge"
