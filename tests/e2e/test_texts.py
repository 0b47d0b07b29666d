"""Codes by text as people meet them, in Chromium, read from the gateway's side: the demo's phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from nightlatch.domain.time import DAY, MINUTE, SECOND
from tests.support.screens import Screen, Served, oathtool, screen
from tests.support.texts import code_in

pytestmark = [pytest.mark.pictures]

NOOR, MAYA = "+491713920001", "+491713920002"


@pytest.fixture
async def visitor(chromium: Browser, served: Served, pictures: Path | None) -> AsyncIterator[Screen]:
    """Somebody at the demo."""
    async with screen(chromium, served, pictures) as shown:
        await shown.go("/demo")
        yield shown


async def sign_in_as(visitor: Screen, name: str) -> None:
    """Sign in at the bank as somebody."""
    await visitor.page.get_by_label(name).check()
    await visitor.press("Sign in", exact=True)


async def later(visitor: Screen, duration: int) -> None:
    """Let time pass for the server and for the browser."""
    visitor.served.clock.advance(duration)
    await visitor.page.clock.set_system_time(visitor.served.clock.now() / SECOND)


async def again_after(visitor: Screen, duration: int, count: int) -> None:
    """Sign in as Noor from a new browser some time later, by text number ``count``."""
    await later(visitor, duration)
    for press in ("Sign out", "Try something", "Be a new browser"):
        await visitor.press(press)
    await sign_in_as(visitor, "Noor Haddad")
    await visitor.press("Another way")
    await visitor.press("Text to the number ending 01")
    await visitor.says("We texted the number ending 01.")
    await visitor.page.fill("#code", await received(visitor.served, NOOR, count))
    await visitor.press("Sign in", exact=True)


async def received(served: Served, number: str, count: int = 1) -> str:
    """The code of the newest of so many texts, as the gateway took it."""
    for _ in range(800):  # what could not be sent is tried again after 20 s at most
        if len(texts := served.gateway.texts(number)) >= count:
            return code_in(texts[0].text)
        await asyncio.sleep(0.05)
    raise AssertionError(f"no text number {count} has come")


async def test_who_has_texts_alone_signs_in_and_is_guided_to_an_app(visitor: Screen) -> None:
    """Text, wrong code, text again, in; then the app, once: left alone, it is not offered again within a week."""
    page, served = visitor.page, visitor.served
    await sign_in_as(visitor, "Noor Haddad")
    await visitor.says("A code by text.")
    await visitor.looks_right("text-before")
    await visitor.press("Text me a code")
    await visitor.says("We texted the number ending 01.")
    old = await received(served, NOOR)
    await expect(page.get_by_role("timer")).to_contain_text("Send again in 0:")
    await expect(page.get_by_role("button", name="Send again")).to_be_hidden()
    await visitor.says("Nobody from Meridian Bank will ever ask for it.")
    await visitor.looks_right("text-sent")
    await page.fill("#code", "000000" if old != "000000" else "111111")
    await visitor.press("Sign in", exact=True)
    await visitor.says("That code didn't work. Only the newest text counts.")
    await expect(page.locator("#code")).to_be_focused()
    await visitor.looks_right("text-wrong")
    await later(visitor, 31 * SECOND)
    await page.reload()
    await visitor.press("Send again")
    new = await received(served, NOOR, 2)
    await expect(page.get_by_role("log", name="Newest text")).to_contain_text(new)
    await visitor.press("Type the code in")
    await expect(page.locator("#code")).not_to_be_empty()
    await visitor.press("Sign in", exact=True)
    await visitor.says("Skip the text next time?")
    await visitor.looks_right("better")
    await visitor.press("Not now")
    await visitor.says("Good day, Noor Haddad.")
    await expect(page.locator("#why")).to_contain_text("mfa pwd sms")
    await again_after(visitor, DAY, 3)
    await visitor.says("Good day, Noor Haddad.")
    await again_after(visitor, 7 * DAY, 4)
    await visitor.says("Skip the text next time?")
    await visitor.press("Set up an app")
    uri = await visitor.picture_says()
    await page.fill("#code", oathtool(uri, served.clock))
    await visitor.press("Turn on")
    await visitor.says("All set.")
    await visitor.press("Continue to Meridian Bank")
    await visitor.says("Good day, Noor Haddad.")


async def test_a_number_as_the_first_way(visitor: Screen) -> None:
    """Maya has no app: number, notice, wrong kind, code, backup codes, in."""
    page, served = visitor.page, visitor.served
    await visitor.press("Sign in", exact=True)
    await visitor.press("Get codes by text")
    await visitor.says("An authenticator app is safer.")
    await visitor.looks_right("number")
    await page.fill("#phone", "+49 30 123456")
    await visitor.press("Text me a code")
    await visitor.says("Texts can't be sent to a number of this kind.")
    await visitor.looks_right("number-refused")
    await visitor.press("Type my number")
    await visitor.press("Text me a code")
    await visitor.says("We texted the number ending 02.")
    await visitor.looks_right("number-code")
    await page.fill("#code", await received(served, MAYA))
    await visitor.press("Turn on")
    await visitor.says("Save your backup codes.")
    await visitor.press("Write them down")
    await visitor.press("Continue")
    await visitor.says("will text you a code")
    await visitor.press("Continue to Meridian Bank")
    await visitor.says("Good day, Maya Lindqvist.")


async def test_a_text_that_cannot_be_sent(visitor: Screen) -> None:
    """The page says so by itself, other ways are offered, and the text that comes after all still works."""
    page, served = visitor.page, visitor.served
    served.gateway.down = True
    await sign_in_as(visitor, "Noor Haddad")
    await visitor.press("Text me a code")
    await visitor.says("We couldn't send the text.")
    await visitor.says("Nothing is wrong with your account.")
    await expect(page.get_by_text("We texted the number")).to_be_hidden()
    await visitor.press("Another way")
    await visitor.press("Text to the number ending 01")
    await visitor.says("A text is on its way.")  # said for half a minute, so asked for before anything that takes time
    await visitor.looks_right("text-failed")
    await page.reload()
    await visitor.says("We couldn't send the text.")
    await visitor.press("Another way")
    await visitor.looks_right("text-choose")
    await page.go_back()
    served.gateway.down = False
    await page.fill("#code", await received(served, NOOR))
    await visitor.press("Sign in", exact=True)
    await visitor.says("Skip the text next time?")


async def test_texts_on_ones_own_page(visitor: Screen) -> None:
    """Prove by text, add a number by its code, remove it."""
    page, served = visitor.page, visitor.served
    await sign_in_as(visitor, "Noor Haddad")
    await visitor.press("Text me a code")
    await page.fill("#code", await received(served, NOOR))
    await visitor.press("Sign in", exact=True)
    await visitor.press("Not now")
    await visitor.press("My ways to sign in")
    await visitor.press("Open my page")
    await visitor.says("Text to the number ending 01")
    await visitor.press("Prove it's you")
    await visitor.looks_right("portal-prove-text")
    await visitor.press("Text me a code")
    await page.fill("#code", await received(served, NOOR, 2))
    await visitor.looks_right("portal-prove-texted")
    await visitor.press("Continue")
    await visitor.says("You can make changes now.")
    await visitor.looks_right("portal-with-number")
    await visitor.press("Get codes by text")
    await visitor.looks_right("portal-number")
    await page.fill("#phone", "+491713920001")
    await visitor.press("Text me a code")
    await visitor.says("This number is set up already.")
    await page.fill("#phone", "+49 171 392 0077")
    await visitor.press("Text me a code")
    await visitor.says("We texted the number ending 77.")
    await page.fill("#code", await received(served, "+491713920077"))
    await page.fill("#label", "Work")
    await visitor.looks_right("portal-number-code")
    await visitor.press("Turn on")
    await visitor.says("It's set up.")
    await visitor.says("Text to the number ending 77")


async def test_without_scripts(chromium: Browser, served: Served) -> None:
    """Send, too early, read on the demo's own page, type, in; a code that is too old is said to be."""
    async with screen(chromium, served, scripts=False) as visitor:
        page = visitor.page
        await visitor.go("/demo")
        await sign_in_as(visitor, "Noor Haddad")
        await visitor.press("Text me a code")
        await visitor.press("Send again")
        await visitor.says("A text is on its way.")
        address = page.url
        await received(served, NOOR)
        await visitor.go("/demo/phone")
        await visitor.says("is your sign-in code, for 5 minutes.")
        served.clock.advance(5 * MINUTE)
        await page.goto(address)
        await visitor.press("Text me a code")
        await visitor.says("We texted the number ending 01.")
        await page.fill("#code", await received(served, NOOR, 2))
        await visitor.press("Sign in", exact=True)
        await visitor.press("Not now")
        await visitor.says("Good day, Noor Haddad.")
