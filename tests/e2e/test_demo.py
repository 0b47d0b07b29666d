"""The demo as a visitor goes through it, in Chromium. Every screen on the way is looked at (tests/support/screens.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from nightlatch.domain.time import SECOND
from tests.support.screens import Screen, Served, oathtool, screen

pytestmark = [pytest.mark.pictures]


@pytest.fixture
async def visitor(chromium: Browser, served: Served, pictures: Path | None) -> AsyncIterator[Screen]:
    """Somebody at the demo."""
    async with screen(chromium, served, pictures) as shown:
        await shown.go("/demo")
        yield shown


async def choose(visitor: Screen, name: str) -> None:
    """Sign in at the bank as somebody."""
    await visitor.page.get_by_label(name).check()
    await visitor.press("Sign in", exact=True)


async def enroll_by_click(visitor: Screen) -> None:
    """The first minute, by the demo phone."""
    await visitor.press("Sign in", exact=True)
    await visitor.press("Set up now")
    await visitor.press("Scan the picture")
    await visitor.press("Type it in")
    await expect(visitor.page.locator("#code")).not_to_be_empty()
    await visitor.press("Turn on")
    await visitor.press("Write them down")
    await visitor.press("Continue")
    await visitor.press("Continue to Meridian Bank")
    await visitor.says("Good day, Maya Lindqvist.")


async def type_in(visitor: Screen) -> None:
    """Have the phone type its code, once a new one is due."""
    visitor.served.clock.advance(30 * SECOND)
    await visitor.page.clock.set_system_time(visitor.served.clock.now() / SECOND)
    await visitor.press("Type it in")
    await expect(visitor.page.locator("#code")).not_to_be_empty()


async def test_the_first_minute_with_an_app_that_reads_the_picture(visitor: Screen) -> None:
    """The code is OATH Toolkit's, from what the pixels of the picture say; the bank opens, and Why? names the rule."""
    page = visitor.page
    await visitor.looks_right("demo")
    await visitor.press("Sign in", exact=True)
    await visitor.says("Set up a second lock by")
    await visitor.looks_right("grace")
    await visitor.press("Set up now")
    await visitor.looks_right("setup")
    uri = await visitor.picture_says()
    assert uri.startswith("otpauth://totp/Meridian:maya?")
    await page.fill("#code", "000000")
    await visitor.press("Turn on")
    await visitor.says("That code didn't work.")
    await expect(page.locator("#code")).to_be_focused()
    await visitor.looks_right("setup-wrong")
    await page.fill("#code", oathtool(uri, visitor.served.clock))
    await visitor.press("Turn on")
    await visitor.says("Save your backup codes.")
    await visitor.looks_right("backup-codes")
    codes = await page.locator(".codes code").all_text_contents()
    async with page.expect_download() as loading:
        await visitor.press("Download")
    file = await (await loading.value).path()
    saved = await asyncio.to_thread(file.read_text)
    assert len(codes) == 10
    assert all(code in saved for code in codes)
    await page.get_by_label("They're saved somewhere other than this phone").check()
    await visitor.press("Continue")
    await visitor.says("All set.")
    await visitor.looks_right("all-set")
    await visitor.press("Continue to Meridian Bank")
    await visitor.says("Good day, Maya Lindqvist.")
    why = page.locator("#why")
    await expect(why).to_contain_text("rule: default")
    await expect(why).to_contain_text("mfa otp pwd")
    await expect(why).to_contain_text("They proved it.")
    await visitor.looks_right("demo-signed-in")


@pytest.mark.requirement("T4")
async def test_one_code_sent_fifty_times_is_accepted_once(visitor: Screen) -> None:
    """After scanning by a click; the thief is paused, and Maya is not."""
    await enroll_by_click(visitor)
    await visitor.press("Try something")
    await visitor.page.get_by_role("button", name="Send this code 50 times").click()
    await visitor.says("1 accepted, 49 refused.")
    await visitor.looks_right("demo-flood")
    await visitor.press("Pay 1")
    await visitor.says("Enter your code.")
    visitor.served.clock.advance(30 * SECOND)
    await type_in(visitor)
    await visitor.press("Confirm")
    await visitor.says("just now, proved (aal2)")


async def test_a_payment_needs_a_second_lock_from_the_first_day(visitor: Screen) -> None:
    """Signing in may be gone on with for thirty days; paying may not."""
    await visitor.press("Sign in", exact=True)
    await visitor.press("Not now: 30 days left")
    await visitor.says("They put it off.")
    await visitor.press("Pay 1")
    await visitor.says("That needs a second lock.")
    await visitor.looks_right("refused-payment")
    await visitor.press("Back to Meridian Bank")
    await visitor.says("Not paid. It was refused.")


async def test_signing_in_again(visitor: Screen) -> None:
    """Code, used, wrong, backup code, another way, lost, five wrong ones, paused."""
    page = visitor.page
    await enroll_by_click(visitor)
    await visitor.press("Sign out")
    await visitor.press("Sign in", exact=True)
    await visitor.says("Enter your code.")
    await visitor.press("Type the last code again")  # before anything that takes time: an old code is a wrong one
    await visitor.press("Sign in", exact=True)
    await visitor.says("That code was already used.")
    await visitor.press("Type a wrong code")
    await visitor.press("Sign in", exact=True)
    await visitor.says("That code didn't work.")
    await visitor.looks_right("code-wrong")
    await type_in(visitor)
    await page.get_by_label("Remember this browser for 14 days.").check()
    await visitor.press("Sign in", exact=True)
    await visitor.says("Good day, Maya Lindqvist.")
    await visitor.press("Sign out")
    await visitor.press("Sign in", exact=True)
    await visitor.says("Let in at once")
    await visitor.press("Try something")
    await visitor.press("Be a new browser")
    await visitor.press("Sign in", exact=True)
    await visitor.says("Enter your code.")
    await visitor.looks_right("code")
    await visitor.press("Another way")
    await visitor.looks_right("choose")
    await visitor.press("Lost your phone?")
    await visitor.looks_right("lost")
    await visitor.press("None of these")
    await visitor.looks_right("help")
    await visitor.press("Back", exact=True)
    await visitor.press("A backup code")
    await visitor.looks_right("backup-code")
    await visitor.press("Use one")
    await visitor.press("Sign in", exact=True)
    await visitor.says("Good day, Maya Lindqvist.")


async def test_five_wrong_codes_pause_the_way(chromium: Browser, visitor: Screen) -> None:
    """This attempt is over; the next one says until when."""
    page = visitor.page
    await enroll_by_click(visitor)
    for press in ("Sign out", "Try something", "Be a new browser"):
        await visitor.press(press)
    await visitor.press("Sign in", exact=True)
    for _ in range(5):
        await expect(page.locator("#code")).to_be_empty()  # of the page that answers, not of the one before
        await page.fill("#code", "000000")
        await visitor.press("Sign in", exact=True)
    await visitor.says("Too many wrong codes.")
    # At once and from another browser: the pause lasts for half a minute.
    async with screen(chromium, visitor.served, visitor.pictures) as again:
        await again.go("/demo")
        await again.press("Sign in", exact=True)
        await again.press("Another way")
        await again.press("Code from your app")
        await again.says("Code entry is paused until")
        await expect(again.page.get_by_role("timer")).to_contain_text("You can try again in 0:")
        await again.looks_right("paused")
        await again.press("Cancel")
        await again.says("They cancelled.")
    await visitor.looks_right("over")
    await visitor.press("Back to Meridian Bank")
    await visitor.says("Five wrong codes: this attempt is over.")


async def test_everybody_else_on_stage(visitor: Screen) -> None:
    """Amara has an app, Jonas must set one up, the service account needs none, nobody gets nowhere."""
    await choose(visitor, "Amara Okafor")
    await visitor.says("Enter your code.")
    await type_in(visitor)
    await visitor.press("Sign in", exact=True)
    await visitor.says("Good day, Amara Okafor.")
    await visitor.press("Sign out")
    await choose(visitor, "Jonas Weber")
    await visitor.says("Set up a second lock.")
    await visitor.looks_right("start")
    await visitor.press("Cancel")
    await choose(visitor, "Payroll, nightly")
    await visitor.says("service_account")
    await visitor.press("Sign out")
    await choose(visitor, "Somebody else")
    await visitor.says("You can't sign in to Meridian Bank right now.")
    await visitor.looks_right("refused")
    await visitor.press("Back to Meridian Bank")
    await visitor.says("user_unknown")


async def test_the_portal(visitor: Screen) -> None:
    """By the bank's link: look, prove, set up another app, name it, new codes, remove, close."""
    page = visitor.page
    await enroll_by_click(visitor)
    await visitor.press("My ways to sign in")
    await visitor.says("This link opens your own page once.")
    await visitor.looks_right("portal-welcome")
    await visitor.press("Open my page")
    await visitor.says("Ways to sign in")
    await visitor.looks_right("portal")
    await visitor.press("Prove it's you")
    await visitor.looks_right("portal-prove")
    await type_in(visitor)
    await visitor.press("Continue")
    await visitor.says("You can make changes now.")
    await visitor.looks_right("portal-proved")
    await visitor.press("Set up another app")
    await visitor.looks_right("portal-setup")
    uri = await visitor.picture_says()
    await page.fill("#code", oathtool(uri, visitor.served.clock))
    await page.fill("#label", "Tablet")
    await visitor.press("Turn on")
    await visitor.says("Tablet")
    await visitor.press("New codes")
    await visitor.looks_right("portal-codes")
    await page.get_by_label("They're saved somewhere other than this phone").check()
    await visitor.press("Continue")
    await visitor.says("Your new backup codes work now.")
    await page.get_by_role("link", name="Change Code from your app, Tablet").click()
    await visitor.looks_right("portal-way")
    await visitor.press("Remove")
    await visitor.says("It's removed")
    await visitor.press("Close this page")
    await visitor.says("Your page is closed.")
    await visitor.looks_right("portal-closed")


async def test_another_browser_is_told_where_to_go_on(chromium: Browser, visitor: Screen) -> None:
    """The address without its ticket opens nothing."""
    await visitor.press("Sign in", exact=True)
    await visitor.says("Set up a second lock by")
    async with screen(chromium, visitor.served, visitor.pictures) as other:
        other.forgive("404")
        await other.page.goto(visitor.page.url)
        await other.says("Go on in the browser you started in.")
        await other.looks_right("elsewhere")
