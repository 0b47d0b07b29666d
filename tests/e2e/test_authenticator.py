"""The authenticator itself, in a browser that is a phone: installed, rung, offline, shared, played by a second window."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from nightlatch.app.deliver.push import content_of
from tests.support.pushing import deliver, number_of, scan, set_up, sign_in
from tests.support.screens import Screen, Served, screen

pytestmark = [pytest.mark.pictures]

CODE = "0123456789ABCDEFGHJKMNPQ"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
NOTIFICATION = {"title": "Sign in to Meridian Bank?", "body": "Open to see where it comes from."}

# What the phone's own module says, from inside its page.
IN_PHONE = (
    "import(document.querySelector('script[src*=authenticator]').src.replace('authenticator.js', 'phone.js'))"
    ".then(({{ accounts }}) => {})"
)
KEYS = IN_PHONE.format("accounts()") + ".then((all) => all.length)"


async def test_on_ios_no_key_is_made_in_a_tab(chromium: Browser, served: Served, pictures: Path | None) -> None:
    """The page shows how to install it; the code waits in the manifest of this very page, and to be copied."""
    async with screen(chromium, served, pictures, agent=IPHONE) as tab:
        await tab.page.goto(f"{served.url}/authenticator#{CODE}")
        await tab.says("Put this page on your Home Screen first.")
        await tab.says("0123 4567 89AB CDEF GHJK MNPQ")
        assert tab.page.url == f"{served.url}/authenticator", "the code stays in no history"
        await tab.looks_right("authenticator-ios")
        await tab.page.wait_for_function("document.querySelector('link[rel=manifest]').href.startsWith('data:')")
        cdp = await tab.page.context.new_cdp_session(tab.page)
        manifest = json.loads((await cdp.send("Page.getAppManifest"))["data"])
        assert manifest["start_url"] == f"{served.url}/authenticator#{CODE}"
        assert await tab.page.evaluate("indexedDB.databases().then((all) => all.length)") <= 1
        assert await tab.page.evaluate(KEYS) == 0


@pytest.mark.requirement("P2", "P3")
async def test_what_is_pushed_is_shown_and_answers_nothing(desk: Screen, phone: Screen, served: Served) -> None:
    """A notification without buttons; a tap leads to this page and nowhere else; the key cannot be taken out."""
    await phone.page.context.grant_permissions(["notifications"], origin=served.url)
    await set_up(desk, phone)
    assert await phone.page.evaluate(KEYS) == 1
    taken = "accounts().then(([one]) => crypto.subtle.exportKey('jwk', one.key)).then(() => 'out', (e) => e.name)"
    assert await phone.page.evaluate(IN_PHONE.format(taken)) == "InvalidAccessError"
    cdp = await phone.page.context.new_cdp_session(phone.page)
    sent = content_of(NOTIFICATION | {"navigate": f"{served.url}/authenticator?challenge=x", "data": {}})
    shown = await deliver(cdp, phone.page, served.url, json.dumps(sent), NOTIFICATION["title"])
    assert shown == [[NOTIFICATION["title"], NOTIFICATION["body"], 0]]
    (worker,) = phone.page.context.service_workers
    for address, leads in ((f"{served.url}/authenticator?challenge=x", "?challenge=x"), ("https://evil.example/", "")):
        assert await worker.evaluate("(address) => insideOf(address)", address) == f"{served.url}/authenticator{leads}"
    unreadable = "Somebody wants to sign in"
    shown = await deliver(cdp, phone.page, served.url, "not what it should be", unreadable)
    assert shown == [[unreadable, "Open to see where.", 0]]


async def test_without_a_connection_it_still_opens(desk: Screen, phone: Screen) -> None:
    """With its accounts, and it says why nothing comes; nothing but its own files is kept."""
    await set_up(desk, phone)
    await phone.page.evaluate("navigator.serviceWorker.ready")
    phone.forgive("net::ERR_INTERNET_DISCONNECTED")
    await phone.page.context.set_offline(True)
    await phone.page.reload()
    await phone.says("Nothing is waiting.")
    await phone.says("No connection.")
    kept = await phone.page.evaluate(
        "caches.keys().then((names) => Promise.all(names.map((name) => caches.open(name).then((c) => c.keys()))))"
        ".then((all) => all.flat().map((request) => new URL(request.url).pathname))"
    )
    assert "/authenticator" in kept
    assert all(path == "/authenticator" or path.startswith("/static/") for path in kept)
    await phone.looks_right("authenticator-offline", waits=True)
    await phone.page.context.set_offline(False)
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")


async def test_a_keyboard_is_enough_on_the_phone(desk: Screen, phone: Screen) -> None:
    """The field has the focus, Enter approves, and what is new is read out first."""
    await set_up(desk, phone)
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")
    await expect(phone.page.locator("#number")).to_be_focused()
    await phone.page.keyboard.type(await number_of(desk))
    await phone.page.keyboard.press("Enter")
    await phone.says("Approved.")
    await expect(phone.page.locator("h1")).to_be_focused()
    await desk.says("Good day, Maya Lindqvist.")


async def test_two_people_share_a_phone(desk: Screen, phone: Screen) -> None:
    """Each with a key of their own; it is asked for the one who signs in."""
    await set_up(desk, phone)
    await desk.press("Sign out")
    await desk.page.get_by_label("Jonas Weber").check()
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    await scan(desk, phone)
    await phone.press("Set up this phone")
    await phone.says("jonas")  # no more of an account before the phone counts
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Confirm")
    await phone.press("Not now")
    assert await phone.page.evaluate(KEYS) == 2
    await phone.says("Maya Lindqvist")
    await desk.page.get_by_label("They're saved somewhere other than this phone").check()
    await desk.press("Continue")
    await desk.press("Continue to Meridian Bank")
    await sign_in(desk)
    await phone.says("As Jonas Weber")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)
    await desk.says("Good day, Jonas Weber.")


async def test_a_second_window_plays_the_phone_in_the_demo(desk: Screen, served: Served) -> None:
    """The same browser, another window: it scans by a click, and the next sign-in finds it open."""
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    async with desk.page.context.expect_page() as opening:
        await desk.press("Scan it with the camera")
    window = await opening.value
    phone = Screen(window, served, None)
    await phone.press("Set up this phone")
    await window.fill("#number", await number_of(desk))
    await phone.press("Confirm")
    await desk.says("Save your backup codes.")
