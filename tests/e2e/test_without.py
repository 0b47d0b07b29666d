"""Without a mouse, without scripts: everything still works."""

from __future__ import annotations

import asyncio

from playwright.async_api import Browser, Page, Route, expect

from tests.support.screens import Served, oathtool, screen


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of this name has the focus, and see that one can see it."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        here = await page.evaluate(
            """() => {
              const it = document.activeElement;
              const label = it.labels?.[0]?.textContent ?? it.getAttribute("aria-label") ?? it.textContent;
              const style = getComputedStyle(it);
              return [label.trim().replace(/\\s+/g, " "), style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        )
        if here[0].startswith(name):
            assert here[1] != "none", f"the focus on {name!r} cannot be seen"
            assert here[2] >= 2, f"the focus on {name!r} cannot be seen"
            return
    raise AssertionError(f"Tab never reaches {name!r}")


async def test_a_keyboard_is_enough(chromium: Browser, served: Served) -> None:
    """From the bank through setting up and back, with Tab, Space, Enter and digits."""
    async with screen(chromium, served) as visitor:
        page = visitor.page
        await visitor.go("/demo")
        await page.wait_for_selector(".phone")
        await tab_to(page, "Sign in")
        await page.keyboard.press("Enter")
        await visitor.says("Set up a second lock by")
        await tab_to(page, "Set up now")
        await page.keyboard.press("Enter")
        await visitor.says("Set up an authenticator app.")
        await expect(page.locator("#code")).to_be_focused()
        await page.keyboard.type(oathtool(await visitor.picture_says(), served.clock))
        await page.keyboard.press("Enter")
        await visitor.says("Save your backup codes.")
        await tab_to(page, "They're saved somewhere other than this phone")
        await page.keyboard.press("Space")
        await tab_to(page, "Continue")
        await page.keyboard.press("Enter")
        await visitor.says("All set.")
        await tab_to(page, "Continue to Meridian Bank")
        await page.keyboard.press("Enter")
        await visitor.says("Good day, Maya Lindqvist.")
        assert not visitor.faults


async def test_who_is_quicker_than_the_scripts_keeps_the_focus(chromium: Browser, served: Served) -> None:
    """The news in the heading takes the focus from nobody."""
    async with screen(chromium, served) as visitor:
        page, release = visitor.page, asyncio.Event()
        await visitor.go("/demo")
        await visitor.press("Sign in", exact=True)
        await visitor.press("Set up now")
        await page.fill("#code", oathtool(await visitor.picture_says(), served.clock))

        async def late(route: Route) -> None:
            await release.wait()
            await route.continue_()

        await page.route("**/shared/page*.js", late)
        await visitor.press("Turn on", exact=True)
        await visitor.says("Save your backup codes.")
        saved = page.get_by_label("They're saved somewhere other than this phone")
        await saved.focus()
        release.set()
        await expect(page.get_by_role("button", name="Copy")).to_be_visible()  # by the script
        await expect(saved).to_be_focused()


async def test_scripts_are_not_needed(chromium: Browser, served: Served) -> None:
    """The same, as plain forms: nothing is hidden behind a script."""
    async with screen(chromium, served, scripts=False) as visitor:
        page = visitor.page
        await visitor.go("/demo")
        await visitor.press("Sign in", exact=True)
        await visitor.press("Set up now")
        await expect(page.get_by_role("button", name="Copy key")).to_have_count(0)
        await page.fill("#code", oathtool(await visitor.picture_says(), served.clock))
        await visitor.press("Turn on")
        await visitor.says("Save your backup codes.")
        await page.get_by_label("They're saved somewhere other than this phone").check()
        await visitor.press("Continue")
        await visitor.press("Continue to Meridian Bank")
        await visitor.says("Good day, Maya Lindqvist.")


async def test_copying_says_that_it_did(chromium: Browser, served: Served) -> None:
    """The key goes to the clipboard, and the button says so."""
    async with screen(chromium, served) as visitor:
        await visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=served.url)
        await visitor.go("/demo")
        await visitor.press("Sign in", exact=True)
        await visitor.press("Set up now")
        await visitor.press("Can't scan it?")
        await visitor.press("Copy key")
        await visitor.says("Key copied")
        copied = await visitor.page.evaluate("navigator.clipboard.readText()")
        assert copied in await visitor.picture_says()
