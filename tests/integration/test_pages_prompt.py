"""The hosted prompt over real parts, in a browser without scripts: opened, kept safe, and set up in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import structlog

from nightlatch.app.messages import UserPatch
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.users.change import change_user
from nightlatch.ports.store import UserKey
from tests.support.browsing import Pages, Visitor, pages_with_maya, to_prompt
from tests.support.ports import OPERATOR, World

NO_GRACE = "mfa_enforcement: {all_users: true}\n"


@pytest.fixture
async def pages(world: World) -> Pages:
    """Pages, a bank, and Maya."""
    return await pages_with_maya(world)


@pytest.fixture
async def browser(pages: Pages) -> AsyncIterator[Visitor]:
    """A browser at home."""
    async with pages.browser() as visitor:
        yield visitor


async def test_a_person_sets_up_an_app_and_is_signed_in_by_it(pages: Pages, browser: Visitor) -> None:
    """Grace, picture, code, backup codes, all set, back to the bank with a code for its result."""
    await to_prompt(pages, browser)
    assert "Set up a second lock by" in browser.text
    assert "Not now: 30 days left" in browser.text
    await browser.submit("/setup")
    phone = browser.scanned(pages.world)
    assert phone.scanned.account == "maya"
    await browser.submit("/setup/code", code=phone.code())
    assert "Save your backup codes." in browser.text
    assert len(browser.codes) == 10
    await browser.submit("/saved", saved="yes")
    assert "All set. Next time, Meridian Bank will ask for a code from your app." in browser.text
    await browser.submit("/continue")
    result = await pages.bank.result(browser.left_with)
    assert result.status == "approved"
    assert result.assertion
    assert result.device_token


@pytest.mark.requirement("X5")
async def test_the_first_browser_that_opens_a_prompt_is_the_only_one(pages: Pages, browser: Visitor) -> None:
    """A second one learns nothing, not even by the address without the ticket."""
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None
    await browser.get(attempt.prompt_url)
    async with pages.browser() as other:
        await other.get(attempt.prompt_url)
        assert other.page.status_code == 404
        assert "Go on in the browser you started in." in other.text
        await other.get(f"/prompt/{attempt.id}")
        assert other.page.status_code == 404
        assert not other.forms
    await browser.get(attempt.prompt_url)
    assert "Set up a second lock by" in browser.text


@pytest.mark.requirement("X5")
async def test_looking_ahead_uses_no_ticket_up(pages: Pages, browser: Visitor) -> None:
    """Previews, prefetches and HEAD come before the person does."""
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None
    for headers in ({"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}):
        assert (await browser.http.get(attempt.prompt_url, headers=headers)).status_code == 204
    assert (await browser.http.head(attempt.prompt_url)).status_code == 204
    await browser.get(attempt.prompt_url)
    assert "Set up a second lock by" in browser.text


@pytest.mark.requirement("X4")
async def test_the_ticket_leaves_the_address_and_is_never_logged(pages: Pages, browser: Visitor) -> None:
    """The address bar, the history and the log hold nothing that opens anything."""
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None
    ticket = attempt.prompt_url.partition("ticket=")[2]
    with structlog.testing.capture_logs() as logged:
        await browser.get(attempt.prompt_url)
    assert logged
    assert ticket not in str(logged)
    assert attempt.id not in str(logged)
    assert str(browser.page.url) == f"https://mfa.example/prompt/{attempt.id}"
    assert ticket not in browser.page.text


@pytest.mark.requirement("X2", "X3", "X4")
async def test_every_answer_says_how_it_may_be_used(pages: Pages, browser: Visitor) -> None:
    """Policy, caching, framing, referrer; cookies that only we can set, and no script reads."""
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None
    opened = await browser.http.get(attempt.prompt_url)
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith("__Host-nightlatch-prompt-")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(cookie.split("; "))
    page = (await browser.get(f"/prompt/{attempt.id}")).page
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://bank.example" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"\son\w+=|\sstyle=|<script(?![^>]*src=)", page.text), "nothing inline"


@pytest.mark.requirement("X2")
async def test_a_form_that_is_not_from_this_browsers_page_does_nothing(pages: Pages, browser: Visitor) -> None:
    """Without the page's token, with another session's, or from another site."""
    await to_prompt(pages, browser)
    action, fields = browser.form("/skip").action, browser.form("/skip").fields
    async with pages.browser() as stranger:
        await to_prompt(pages, stranger)
        foreign = stranger.form("/skip").fields
    for sent, site in (({"csrf": ""}, "same-origin"), (foreign, "same-origin"), (fields, "cross-site")):
        page = await browser.http.post(action, data=sent, headers={"sec-fetch-site": site})
        assert page.status_code == 403
        assert "That page was open for too long." in page.text
    await browser.get(str(browser.page.url))
    assert "Not now: 30 days left" in browser.text


@pytest.mark.requirement("X7")
async def test_showing_changes_nothing(pages: Pages, browser: Visitor) -> None:
    """Every page that a link leads to can be opened any number of times."""
    await pages.world.activated(pages.bank.caller, "maya")
    attempt = await pages.bank.send()
    assert attempt.prompt_url is not None
    await browser.get(attempt.prompt_url)
    before = (await pages.world.ports.store.load(UserKey(authentication=attempt.id))).version
    for part in ("", "/ways", "/lost", "/help", f"/code?way={attempt.factors[0].id}", "/setup", "/saved", "/skip"):
        await browser.get(f"/prompt/{attempt.id}{part}")
    assert (await pages.world.ports.store.load(UserKey(authentication=attempt.id))).version == before


@pytest.mark.requirement("L4")
async def test_backup_codes_are_shown_until_they_are_saved_and_never_again(pages: Pages, browser: Visitor) -> None:
    """A reload loses nothing; leaving without the box is refused in words; afterwards they are gone."""
    await to_prompt(pages, browser)
    await browser.submit("/setup")
    await browser.submit("/setup/code", code=browser.scanned(pages.world).code())
    codes, address = browser.codes, str(browser.page.url)
    await browser.get(address)
    assert browser.codes == codes
    await browser.submit("/saved")
    assert "Save the codes first, then tick the box." in browser.text
    file = await browser.http.get(f"{address.partition('?')[0]}/backup-codes.txt")
    assert 'filename="backup-codes.txt"' in file.headers["content-disposition"]
    assert all(code in file.text for code in codes)
    await browser.submit("/saved", saved="yes")
    await browser.get(address)
    assert not browser.codes
    assert (await browser.http.get(f"{address.partition('?')[0]}/backup-codes.txt")).status_code == 404


@pytest.mark.requirement("T4", "T10")
async def test_the_code_that_turned_an_app_on_does_not_sign_in(pages: Pages, browser: Visitor) -> None:
    """Setting up uses the code up."""
    await to_prompt(pages, browser)
    await browser.submit("/setup")
    phone = browser.scanned(pages.world)
    code = phone.code()
    await browser.submit("/setup/code", code=code)
    await browser.submit("/saved", saved="yes")
    await browser.submit("/continue")
    await to_prompt(pages, browser)
    await browser.submit("/code", code=code)
    assert "That code was already used." in browser.text


@pytest.mark.requirement("H6")
async def test_nobody_is_led_like_somebody_without_a_way(pages: Pages, browser: Visitor) -> None:
    """The same screens with the same words, a picture with the name that was given, and no code that works."""
    await apply_policy(pages.world.ports, OPERATOR, NO_GRACE, None)
    said: dict[str, list[str]] = {}
    for user in ("maya", "mayo"):
        async with pages.browser() as visitor:
            screens = said.setdefault(user, [])
            await to_prompt(pages, visitor, user=user)
            screens.append(visitor.text)
            await visitor.submit("/setup")
            phone = visitor.scanned(pages.world)
            assert phone.scanned.account == user
            screens.append(re.sub(r"([A-Z2-7]{4} ){8}", "KEY ", visitor.text + " "))
            await visitor.submit("/setup/code", code=phone.wrong())
            screens.append(re.sub(r"([A-Z2-7]{4} ){8}", "KEY ", visitor.text + " "))
            for _ in range(4):
                await visitor.submit("/setup/code", code=phone.wrong() if user == "maya" else phone.code())
            screens.append(visitor.text)
    assert said["maya"] == said["mayo"]
    assert "Too many wrong codes." in said["maya"][-1]


@pytest.mark.requirement("H6")
async def test_a_refusal_looks_the_same_for_all(pages: Pages, browser: Visitor) -> None:
    """Whoever is disabled and whoever does not exist read the same words."""
    await pages.world.person(pages.bank.caller, "gone")
    await change_user(pages.world.ports, pages.bank.caller, "gone", UserPatch(status="disabled"))
    said = []
    for user in ("gone", "never"):
        async with pages.browser() as visitor:
            await to_prompt(pages, visitor, user=user)
            said.append(visitor.text)
            await visitor.submit("/cancel")
            assert (await pages.bank.result(visitor.left_with)).status == "rejected"
    assert said[0] == said[1]
    assert "You can't sign in to Meridian Bank right now." in said[0]


@pytest.mark.requirement("B1")
async def test_a_prompt_sets_up_no_second_app(pages: Pages, browser: Visitor) -> None:
    """Begun without a way, finished after the owner got one elsewhere: refused."""
    await to_prompt(pages, browser)
    await browser.submit("/setup")
    phone = browser.scanned(pages.world)
    await pages.world.activated(pages.bank.caller, "maya")
    form = browser.form("/setup/code")
    await browser.submit("/setup/code", code=phone.code())
    assert "You can't sign in to Meridian Bank right now." in browser.text
    assert form.fields["csrf"]
    factors = (await pages.world.ports.store.load(UserKey(username="maya"))).factors
    assert [factor.status.value for factor in factors if factor.kind.value == "totp"].count("active") == 1
