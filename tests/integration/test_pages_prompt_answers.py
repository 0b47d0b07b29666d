"""The hosted prompt over real parts, in a browser without scripts: answered, put off, given up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from nightlatch.app.policy.apply import apply_policy
from nightlatch.domain.errors import Invalid
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.time import DAY, MINUTE, SECOND
from tests.support.browsing import HOME, Pages, Visitor, pages_with_maya, to_prompt
from tests.support.ports import OPERATOR, World

ELSEWHERE = "198.51.100.9"

REMEMBERING = """
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  risk_based_prompting: [{new_device: prompt_mfa}]
remember_device: {for: 14_days}
"""


@pytest.fixture
async def pages(world: World) -> Pages:
    """Pages, a bank, and Maya."""
    return await pages_with_maya(world)


@pytest.fixture
async def browser(pages: Pages) -> AsyncIterator[Visitor]:
    """A browser at home."""
    async with pages.browser() as visitor:
        yield visitor


async def test_a_code_signs_in_and_opens_the_same_way_next_time(pages: Pages, browser: Visitor) -> None:
    """The strongest way first; afterwards the one that was used last in this browser."""
    _, active = await pages.world.activated(pages.bank.caller, "maya")
    assert active.backup_codes
    await to_prompt(pages, browser)
    assert "Open your authenticator app and find Meridian." in browser.text
    await browser.get(next(link for link in browser.links if link.endswith("/ways")))
    assert "How would you like to sign in to Meridian Bank?" in browser.text
    assert "Backup code 10 codes left" in browser.text
    await browser.get([link for link in browser.links if "/code?way=" in link][1])
    await browser.submit("/code", code=active.backup_codes[3].lower().replace("-", " "))
    assert (await pages.bank.result(browser.left_with)).status == "approved"
    await to_prompt(pages, browser)
    assert "Enter a backup code." in browser.text


async def test_a_key_fob_signs_in(pages: Pages, browser: Visitor) -> None:
    """With its own words."""
    fob, _ = await pages.world.activated(pages.bank.caller, "maya", FactorKind.HOTP, label="Blue fob")
    await to_prompt(pages, browser)
    assert "Press the button on your key fob “Blue fob”." in browser.text
    await browser.submit("/code", code=fob.wrong())
    assert "Press the button again and use the newest one." in browser.text
    await browser.submit("/code", code=fob.press())
    assert (await pages.bank.result(browser.left_with)).status == "approved"


@pytest.mark.requirement("X5")
async def test_a_result_code_works_once_for_a_minute(pages: Pages, browser: Visitor) -> None:
    """And for its own authentication alone."""
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    await to_prompt(pages, browser)
    await browser.submit("/code", code=phone.code())
    left = browser.left_with
    assert (await pages.bank.result(left)).status == "approved"
    with pytest.raises(Invalid):
        await pages.bank.result(left)
    pages.world.clock.advance(30 * SECOND)
    await to_prompt(pages, browser)
    await browser.submit("/code", code=phone.code())
    pages.world.clock.advance(61 * SECOND)
    with pytest.raises(Invalid):
        await pages.bank.result(browser.left_with)


async def test_pressing_twice_harms_nobody(pages: Pages, browser: Visitor) -> None:
    """The second press leads back as well, with a code that works; the first one's is dead."""
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    await to_prompt(pages, browser)
    form, code, address = browser.form("/code"), phone.code(), browser.page.url
    first = await browser.http.post(form.action, data=form.fields | {"code": code})
    second = await browser.http.post(form.action, data=form.fields | {"code": code})
    assert first.is_redirect
    browser.page = first
    dead = browser.left_with
    browser.page = second
    with pytest.raises(Invalid):
        await pages.bank.result(dead)
    assert (await pages.bank.result(browser.left_with)).status == "approved"
    await browser.get(str(address))
    await browser.submit("/continue")
    assert not browser.page.is_redirect, "a result that was fetched is told once"


async def test_wrong_and_used_codes_are_told_at_the_field(pages: Pages, browser: Visitor) -> None:
    """In words, with what to do."""
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    await to_prompt(pages, browser)
    await browser.submit("/code", code=phone.wrong())
    assert "That code didn't work. Use the newest one; it changes every 30 seconds." in browser.text
    assert 'aria-invalid="true" aria-describedby="code-error"' in browser.page.text
    await browser.submit("/code", code=phone.code(-1))
    assert "That code was already used. Wait for the next one." in browser.text


async def test_five_wrong_codes_end_the_sign_in_and_pause_the_way(pages: Pages, browser: Visitor) -> None:
    """The bank hears of it; the next sign-in says until when, and offers the other ways."""
    phone, active = await pages.world.activated(pages.bank.caller, "maya")
    assert active.backup_codes
    await to_prompt(pages, browser)
    for _ in range(5):
        await browser.submit("/code", code=phone.wrong())
    assert "Too many wrong codes." in browser.text
    await browser.submit("/cancel")
    assert (await pages.bank.result(browser.left_with)).reason == "too_many_wrong_answers"
    await to_prompt(pages, browser)
    assert "Enter a backup code." in browser.text, "opens on a way that takes codes"
    await browser.get(browser.form("/code").action + f"?way={active.id}")
    assert "Code entry is paused until" in browser.text
    assert "Your other ways still work." in browser.text
    assert "Wasn't you? Call +49 30 5550100." in browser.text
    pages.world.clock.advance(30 * SECOND)
    await browser.get(str(browser.page.url))
    await browser.submit("/code", code=phone.code())
    assert (await pages.bank.result(browser.left_with)).status == "approved"


async def test_not_now_goes_on_at_the_level_of_the_password(pages: Pages, browser: Visitor) -> None:
    """Within the days that policy grants."""
    await to_prompt(pages, browser)
    await browser.submit("/skip")
    assert (await pages.bank.result(browser.left_with)).status == "approved"
    pages.world.clock.advance(31 * DAY)
    await to_prompt(pages, browser)
    assert "Not now" not in browser.text
    assert "Set up now" in browser.page.text


async def test_cancelling_leads_back(pages: Pages, browser: Visitor) -> None:
    """From every screen, and the bank is told that it was given up."""
    await to_prompt(pages, browser)
    await browser.submit("/cancel")
    result = await pages.bank.result(browser.left_with)
    assert (result.status, result.reason) == ("rejected", "cancelled")


async def test_time_runs_out(pages: Pages, browser: Visitor) -> None:
    """Ten minutes; then one button."""
    await to_prompt(pages, browser)
    pages.world.clock.advance(11 * MINUTE)
    await browser.get(str(browser.page.url))
    assert "Time ran out." in browser.text
    await browser.submit("/cancel")
    assert (await pages.bank.result(browser.left_with)).reason == "expired"


async def test_a_browser_from_elsewhere_puts_nothing_off_and_is_not_remembered(pages: Pages) -> None:
    """The prompt compares its own peer with the address that the bank told."""
    await apply_policy(pages.world.ports, OPERATOR, REMEMBERING, None)
    async with pages.browser(ELSEWHERE) as elsewhere:
        await to_prompt(pages, elsewhere)
        assert "Not now" not in elsewhere.text
    phone, _ = await pages.world.activated(pages.bank.caller, "maya")
    for peer, offered in ((HOME, True), (ELSEWHERE, False)):
        async with pages.browser(peer) as visitor:
            await to_prompt(pages, visitor)
            assert ("Remember this browser for 14 days" in visitor.text) is offered
            await visitor.submit("/code", code=phone.code(), remember="yes")
            result = await pages.bank.result(visitor.left_with)
        pages.world.clock.advance(30 * SECOND)
        again = await pages.bank.send(device_token=result.device_token)
        assert again.decision == ("allow" if offered else "challenge")
    differing = [event.data["peer_differs"] for event in await pages.world.events("prompt:opened")]
    assert differing == [True, False, True]


async def test_nobody_leaves_before_it_is_decided(pages: Pages, browser: Visitor) -> None:
    """There is nothing to tell yet."""
    await pages.world.activated(pages.bank.caller, "maya")
    await to_prompt(pages, browser)
    address = str(browser.page.url)
    page = await browser.http.post(f"{address}/continue", data={"csrf": browser.form("/cancel").fields["csrf"]})
    assert page.headers["location"] == "/prompt/" + address.rpartition("/")[2]
