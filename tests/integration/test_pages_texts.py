"""Codes by text in prompt and portal over real parts, in a browser without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from nightlatch.adapters.delivery.texting import PlainTexting
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.users.reference import user_key
from nightlatch.domain.time import DAY, MINUTE, SECOND
from tests.support.browsing import Pages, Visitor, open_pages
from tests.support.ports import OPERATOR, World
from tests.support.texts import NUMBER, OTHER_NUMBER, TextPhone, wrong

ALONE = """
mfa_enforcement: {all_users: true, grace_period: 30_days}
factors: {sms: {only_with_alternative: false}}
"""


@pytest.fixture
async def pages(world: World) -> Pages:
    """Pages, a bank, and Maya, where texts may be the only way."""
    opened = await open_pages(world)
    await world.person(opened.bank.caller)
    await apply_policy(world.ports, OPERATOR, ALONE, 0)
    return opened


@pytest.fixture
async def browser(pages: Pages) -> AsyncIterator[Visitor]:
    """A browser at home."""
    async with pages.browser() as visitor:
        yield visitor


async def to_prompt(pages: Pages, browser: Visitor, user: str = "maya", **more: object) -> Visitor:
    """Sign in at the bank and follow it to the prompt."""
    attempt = await pages.bank.send(user, **more)  # type: ignore[arg-type]
    assert attempt.prompt_url is not None
    return await browser.get(attempt.prompt_url)


async def test_a_text_is_sent_by_a_press_and_never_by_looking(pages: Pages, browser: Visitor) -> None:
    """Sent, too early, again, wrong, right."""
    phone = TextPhone.of(pages.world)
    await phone.activated(pages.bank.caller)
    await to_prompt(pages, browser)
    assert "A code by text. We'll text six digits to the number ending 01." in browser.text
    assert len(await phone.texts()) == 1
    await browser.submit("/text")
    old = await phone.code()
    assert "We texted the number ending 01. The code works for 5 minutes; only the newest counts." in browser.text
    await browser.submit("/text")
    assert "A text is on its way." in browser.text
    assert len(await phone.texts()) == 2
    pages.world.clock.advance(30 * SECOND)
    await browser.submit("/text")
    code = await phone.code()
    await browser.submit("/code", code=old if old != code else wrong(code))
    assert "That code didn't work. Only the newest text counts." in browser.text
    await browser.submit("/code", code=f"{code[:3]} {code[3:]}")
    assert "Skip the text next time?" in browser.text
    await browser.submit("/continue")
    assert (await pages.bank.result(browser.left_with)).assertion


async def test_a_code_that_is_too_old(pages: Pages, browser: Visitor) -> None:
    """The page says so, and offers a new one."""
    phone = TextPhone.of(pages.world)
    await phone.activated(pages.bank.caller)
    await to_prompt(pages, browser)
    await browser.submit("/text")
    code = await phone.code()
    pages.world.clock.advance(5 * MINUTE)
    await browser.submit("/code", code=code)
    assert "That code is too old. Have a new one sent." in browser.text
    await browser.submit("/text")
    await browser.submit("/code", code=await phone.code())
    assert "Skip the text next time?" in browser.text


@pytest.mark.requirement("H5", "G3")
async def test_where_no_text_can_be_sent_other_ways_are_offered(pages: Pages, browser: Visitor) -> None:
    """And nothing is wrong with the account."""
    world, phone = pages.world, TextPhone.of(pages.world)
    await phone.activated(pages.bank.caller)
    world.ports = replace(world.ports, texting=PlainTexting(gateways=False))
    closed = await open_pages(world)
    async with closed.browser() as visitor:
        await to_prompt(closed, visitor)
        await visitor.submit("/text")
        assert (
            "We couldn't send the text. Nothing is wrong with your account. Your other ways still work." in visitor.text
        )
        assert any(link.endswith("/ways") for link in visitor.links)


@pytest.mark.requirement("S7")
async def test_better_is_shown_once_a_week_and_done_at_once(pages: Pages, browser: Visitor) -> None:
    """Who leaves it is not asked again for seven days; who sets an app up is asked no more."""
    world, phone = pages.world, TextPhone.of(pages.world)
    await phone.activated(pages.bank.caller)
    for days, shown in ((0, True), (6, False), (1, True)):
        world.clock.advance(days * DAY)
        await to_prompt(pages, browser)
        await browser.submit("/text")
        await browser.submit("/code", code=await phone.code())
        assert ("location" in browser.page.headers) is not shown, browser.text
    await browser.submit("/setup")
    app = browser.scanned(world)
    await browser.submit("/setup/code", code=wrong(app.code()))
    assert "That code didn't work." in browser.text
    world.clock.advance(4 * MINUTE)
    await browser.submit("/setup/code", code=app.code())
    assert "All set. Next time, Meridian Bank will ask for a code from your app." in browser.text
    world.clock.advance(3 * MINUTE)
    await browser.submit("/continue")
    assert (await pages.bank.result(browser.left_with)).assertion, "the new app's code proved it anew"
    enrolled = [e.data["approval"] for e in await world.events("factor:enrolled")]
    assert enrolled[0] is None
    assert str(enrolled[1]).startswith("atn_")
    world.clock.advance(8 * DAY)
    await to_prompt(pages, browser)
    assert "Enter your code." in browser.text


@pytest.mark.requirement("B1", "E4")
async def test_better_is_no_way_round_the_owners_proof(pages: Pages, browser: Visitor) -> None:
    """Five minutes after the text nothing is set up any more; a sensitive action's prompt never offers it."""
    phone = TextPhone.of(pages.world)
    await phone.activated(pages.bank.caller)
    await to_prompt(pages, browser, action="transfer")
    await browser.submit("/text")
    await browser.submit("/code", code=await phone.code())
    assert "location" in browser.page.headers
    await to_prompt(pages, browser)
    await browser.submit("/text")
    await browser.submit("/code", code=await phone.code())
    assert "Skip the text next time?" in browser.text
    pages.world.clock.advance(5 * MINUTE + 1)
    await browser.submit("/setup")
    assert "Skip the text next time?" in browser.text
    assert len((await pages.world.ports.store.load(user_key("maya"))).factors) == 2


@pytest.mark.requirement("H6")
async def test_a_stranger_sets_a_number_up_on_the_same_screens(pages: Pages, browser: Visitor) -> None:
    """Word for word; nobody is texted, and no code is right."""
    await apply_policy(pages.world.ports, OPERATOR, ALONE.replace("grace_period: 30_days", "grace_period: 0s"), 1)
    told: dict[str, list[str]] = {}
    phone = TextPhone.of(pages.world)
    for who in ("maya", "nobody"):
        said = told.setdefault(who, [])
        await to_prompt(pages, browser, who)
        address = str(browser.page.url)
        said.append(browser.text)
        await browser.get(address + "/number")
        said.append(browser.text)
        await browser.submit("/number", phone="+49 30 123456")
        said.append(browser.text)
        await browser.submit("/number", phone=NUMBER)
        said.append(browser.text)
        await browser.submit("/number/again")
        said.append(browser.text)
        right = await phone.code()
        await browser.submit("/setup/code", code=wrong(right))
        said.append(browser.text)
        pages.world.clock.advance(5 * MINUTE)
        await browser.get(address)
        said.append(browser.text)
        await browser.submit("/number/again")
        said.append(browser.text)
        sent = len(await phone.texts())
        await browser.submit("/setup")
        said.append(browser.text.split("In your app")[0][:60])
        pages.world.clock.advance(-5 * MINUTE)
        assert sent == 2, "both were Maya's"
    assert told["maya"] == told["nobody"]


async def test_texts_are_no_first_way_where_the_policy_wants_more(pages: Pages, browser: Visitor) -> None:
    """Neither link nor page nor form."""
    await to_prompt(pages, browser)
    form = browser.forms[0].fields
    assert any(link.endswith("/number") for link in browser.links)
    await apply_policy(pages.world.ports, OPERATOR, "mfa_enforcement: {all_users: true, grace_period: 30_days}\n", 1)
    await to_prompt(pages, browser)
    address = str(browser.page.url)
    assert not any(link.endswith("/number") for link in browser.links)
    await browser.get(address + "/number")
    assert "Set up a second lock" in browser.text
    form = browser.forms[0].fields
    page = await browser.http.post(
        address + "/number", data=form | {"phone": NUMBER}, headers={"sec-fetch-site": "same-origin"}
    )
    assert page.status_code == 303
    assert await TextPhone.of(pages.world).texts() == []


async def test_the_portal_by_text(pages: Pages, browser: Visitor) -> None:
    """Proved by a text, whose code is good in this session alone; then another number is set up."""
    world, phone = pages.world, TextPhone.of(pages.world)
    await phone.activated(pages.bank.caller)
    link = await new_portal_link(world.ports, pages.bank.caller, "maya")
    await browser.get(link.url)
    await browser.submit("/open")
    await browser.get("https://mfa.example/portal/number")
    await browser.submit("/number", phone=OTHER_NUMBER)
    assert "Prove it's you." in browser.text, "nothing is added without proof"
    await browser.submit("/portal/text")
    assert "We texted the number ending 01." in browser.text
    code = await phone.code()
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None
    async with pages.browser() as other:
        await other.get(attempt.prompt_url)
        await other.submit("/text")
        await other.submit("/code", code=code)
        assert "That code didn't work." in other.text
    await browser.submit("/portal/prove", code=code)
    assert "It's you." in browser.text
    await browser.get("https://mfa.example/portal/number")
    await browser.submit("/number", phone=OTHER_NUMBER)
    assert "We texted the number ending 77." in browser.text
    other_phone = TextPhone(world, phone.gateway, OTHER_NUMBER)
    await browser.submit("/number/again")
    assert "A text is on its way." in browser.text
    await browser.submit("/number/code", code=await other_phone.code(), label="Work")
    assert "It's set up." in browser.text
    assert "Text to the number ending 77 · Work" in browser.text
