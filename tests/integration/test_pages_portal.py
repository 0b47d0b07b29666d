"""A person's own page over real parts, in a browser without scripts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from nightlatch.app.portal.link import new_portal_link
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.store import UserKey
from tests.support.browsing import Pages, Visitor, open_pages
from tests.support.ports import Phone, World


@pytest.fixture
async def pages(world: World) -> Pages:
    """Pages, a bank, and Maya."""
    opened = await open_pages(world)
    await world.person(opened.bank.caller)
    return opened


@pytest.fixture
async def browser(pages: Pages) -> AsyncIterator[Visitor]:
    """Her browser."""
    async with pages.browser() as visitor:
        yield visitor


async def enter(pages: Pages, browser: Visitor, user: str = "maya") -> Visitor:
    """Open the person's page by a new link."""
    link = await new_portal_link(pages.world.ports, pages.bank.caller, user)
    await browser.get(link.url)
    return await browser.submit("/portal/open")


async def prove(pages: Pages, browser: Visitor, phone: Phone) -> Visitor:
    """Prove who is here; the clock moves on, so that the phone's next code is a new one."""
    await browser.get("/portal/prove")
    await browser.submit("/portal/prove", code=phone.code())
    pages.world.clock.advance(30 * SECOND)
    return browser


def session(browser: Visitor) -> str:
    """The session's cookie."""
    return str(browser.http.cookies["__Host-nightlatch-portal"])


@pytest.mark.requirement("X7")
async def test_the_link_shows_a_page_and_only_its_button_opens_the_other(pages: Pages, browser: Visitor) -> None:
    """Mail scanners follow links; they do not press buttons."""
    link = await new_portal_link(pages.world.ports, pages.bank.caller, "maya")
    for _ in range(3):
        await browser.get(link.url)
        assert "This link opens your own page once." in browser.text
        assert "Maya" not in browser.text
    await browser.submit("/portal/open")
    assert "You have no second lock yet." in browser.text
    async with pages.browser() as second:
        await second.get(link.url)
        await second.submit("/portal/open")
        assert "This link is used up." in second.text
    pages.world.clock.advance(6 * MINUTE)
    late = await new_portal_link(pages.world.ports, pages.bank.caller, "maya")
    pages.world.clock.advance(5 * MINUTE)
    await browser.get(late.url)
    await browser.submit("/portal/open")
    assert "This link is used up." in browser.text


async def test_the_first_way_needs_no_proof_and_brings_backup_codes(pages: Pages, browser: Visitor) -> None:
    """Set up here, it counts at once."""
    await enter(pages, browser)
    await browser.submit("/portal/setup")
    phone = browser.scanned(pages.world)
    await browser.submit("/setup/code", code=phone.wrong(), label="")
    assert "That code didn't work." in browser.text
    await browser.submit("/setup/code", code=phone.code(), label="Blue phone")
    assert len(browser.codes) == 10
    await browser.submit("/codes/saved", saved="yes")
    assert "Code from your app · Blue phone" in browser.text
    assert "10 of 10 left" in browser.text


@pytest.mark.requirement("B1", "E4")
async def test_changes_wait_for_proof_and_close_after_five_minutes(pages: Pages, browser: Visitor) -> None:
    """Adding, removing and renewing each lead to the field for a code first."""
    phone, active = await pages.world.activated(pages.bank.caller, "maya")
    await enter(pages, browser)
    for action in ("/portal/setup", "/portal/codes"):
        await browser.get("/portal")
        await browser.submit(action)
        assert "Prove it's you." in browser.text
    await browser.get(f"/portal/ways/{active.id}")
    await browser.submit("/remove")
    assert "Prove it's you." in browser.text
    await prove(pages, browser, phone)
    assert "You can make changes now." in browser.text
    await browser.submit("/portal/codes")
    codes = browser.codes
    assert len(codes) == 10
    assert not set(codes) & set(active.backup_codes or [])
    await browser.submit("/codes/saved", saved="yes")
    pages.world.clock.advance(5 * MINUTE)
    await browser.get("/portal")
    await browser.submit("/portal/codes")
    assert "Prove it's you." in browser.text


@pytest.mark.requirement("E2")
async def test_proof_gives_a_new_session_and_ends_the_old_one(pages: Pages, browser: Visitor) -> None:
    """Whoever knew the first cookie has nothing."""
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    await enter(pages, browser)
    before = session(browser)
    await prove(pages, browser, phone)
    assert session(browser) != before
    async with pages.browser() as thief:
        thief.http.cookies.set("__Host-nightlatch-portal", before, domain="mfa.example")
        await thief.get("/portal")
        assert thief.page.status_code == 404
        assert "Your page is closed." in thief.text


async def test_a_session_ends_by_idling_by_age_and_by_leaving(pages: Pages, browser: Visitor) -> None:
    """Fifteen minutes without a request, an hour in all, or the button."""
    await enter(pages, browser)
    for _ in range(4):
        pages.world.clock.advance(14 * MINUTE)
        await browser.get("/portal")
        assert browser.page.status_code == 200
    pages.world.clock.advance(5 * MINUTE)
    await browser.get("/portal")
    assert browser.page.status_code == 404, "an hour"
    await enter(pages, browser)
    pages.world.clock.advance(15 * MINUTE)
    await browser.get("/portal")
    assert browser.page.status_code == 404, "a quarter of an hour"
    await enter(pages, browser)
    old = session(browser)
    await browser.submit("/portal/leave")
    assert "You can leave this window now." in browser.text
    browser.http.cookies.set("__Host-nightlatch-portal", old, domain="mfa.example")
    await browser.get("/portal")
    assert browser.page.status_code == 404, "left"


@pytest.mark.requirement("H1")
async def test_guessing_here_waits_as_everywhere(pages: Pages, browser: Visitor) -> None:
    """The fifth wrong code pauses the way for this page as for the prompt."""
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    await enter(pages, browser)
    await browser.get("/portal/prove")
    for _ in range(5):
        await browser.submit("/portal/prove", code=phone.wrong())
    assert "Code entry is paused until" in browser.text
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None
    await browser.get(attempt.prompt_url)
    assert "Enter a backup code." in browser.text


async def test_a_second_app_is_set_up_renamed_and_removed(pages: Pages, browser: Visitor) -> None:
    """Each step says what happened."""
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    await enter(pages, browser)
    await prove(pages, browser, phone)
    await browser.submit("/portal/setup")
    second = browser.scanned(pages.world)
    assert second.scanned.secret != phone.scanned.secret
    await browser.submit("/setup/code", code=second.code(), label="Tablet")
    assert "Code from your app · Tablet" in browser.text
    tablet = [link for link in browser.links if "/portal/ways/" in link][1]
    await browser.get(tablet)
    await browser.submit("/name", label="Old\ntablet")
    assert "Use up to 60 letters, digits and signs." in browser.text
    await browser.submit("/name", label="Old tablet")
    assert "Code from your app · Old tablet" in browser.text
    await browser.get(tablet)
    await browser.submit("/remove")
    assert "It's removed" in browser.text
    assert "Old tablet" not in browser.text


async def test_setting_up_can_be_given_up(pages: Pages, browser: Visitor) -> None:
    """What was begun is gone."""
    await enter(pages, browser)
    await browser.submit("/portal/setup")
    await browser.submit("/setup/stop")
    assert "You have no second lock yet." in browser.text
    assert not (await pages.world.ports.store.load(UserKey(username="maya"))).factors


async def test_browsers_are_listed_and_forgotten(pages: Pages, browser: Visitor) -> None:
    """One by one, or all; and the sign-ins that they were seen in."""
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    for _ in range(2):
        attempt = await pages.bank.send()
        assert attempt.prompt_url is not None
        await browser.get(attempt.prompt_url)
        await browser.submit("/code", code=phone.code())
        await pages.bank.result(browser.left_with)
        pages.world.clock.advance(30 * SECOND)
    await enter(pages, browser)
    assert browser.text.count("Meridian Bank: signed in with a code from your app") == 2
    forget = [form.action for form in browser.forms if re.search(r"/browsers/dev_\w+/forget", form.action)]
    assert len(forget) == 2
    await browser.submit(forget[0])
    assert "That browser has to prove itself again." in browser.text
    assert len([form for form in browser.forms if "/browsers/dev_" in form.action]) == 1
    await browser.submit("/browsers/dev_" + forget[1].split("dev_")[1])
    assert "Browsers you used None yet." in browser.text


async def test_nobody_reaches_what_is_not_theirs(pages: Pages, browser: Visitor) -> None:
    """Another person's ways and browsers do not exist here, and no page opens without a session."""
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    await pages.world.person(pages.bank.caller, "noah")
    _, other = await pages.world.activated(pages.bank.caller, "noah")
    await enter(pages, browser)
    await prove(pages, browser, phone)
    own = next(link for link in browser.links if "/portal/ways/" in link)
    await browser.get(f"/portal/ways/{other.id}")
    assert browser.page.status_code == 404
    await browser.get(own)
    csrf = browser.form("/remove").fields["csrf"]
    for part in ("name", "remove"):
        page = await browser.http.post(f"/portal/ways/{other.id}/{part}", data={"csrf": csrf, "label": "x"})
        assert page.status_code == 404
    async with pages.browser() as stranger:
        for path in ("/portal", "/portal/prove", "/portal/setup", "/portal/codes", own):
            await stranger.get(path)
            assert stranger.page.status_code == 404
            assert "Your page is closed." in stranger.text


async def test_what_happened_here_is_in_the_audit_log(pages: Pages, browser: Visitor) -> None:
    """Opened, refused, proved: who, when, which way."""
    phone, active = await pages.world.activated(pages.bank.caller, "maya")
    await enter(pages, browser)
    await browser.get("/portal/prove")
    await browser.submit("/portal/prove", code=phone.wrong())
    await prove(pages, browser, phone)
    events = [event for event in await pages.world.events() if event.type.startswith("portal:")]
    assert [event.type for event in events] == ["portal:opened", "portal:answer_refused", "portal:proved"]
    assert [event.factor for event in events] == [None, active.id, active.id]
    assert all(event.actor == f"person:{event.user}" for event in events)
