"""Approving on a phone, with two real browsers: one at the bank, one as the phone. Every screen is looked at."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page, expect

from nightlatch.domain.time import SECOND
from tests.support.ports import World
from tests.support.screens import Screen, Served, screen, serving_demo

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
NOTIFICATIONS = (
    "navigator.serviceWorker.ready.then((it) => it.getNotifications())"
    ".then((all) => all.map((one) => [one.title, one.body, one.actions.length]))"
)


@pytest.fixture
async def served(world: World) -> AsyncIterator[Served]:
    """The demo on a port of its own."""
    async with serving_demo(world) as demo:
        yield demo


@pytest.fixture
async def desk(chromium: Browser, served: Served, pictures: Path | None) -> AsyncIterator[Screen]:
    """The browser at the bank."""
    async with screen(chromium, served, pictures) as shown:
        await shown.go("/demo")
        yield shown


@pytest.fixture
async def phone(chromium: Browser, served: Served, pictures: Path | None) -> AsyncIterator[Screen]:
    """The browser that is the phone: nothing in common with the other but the person."""
    async with screen(chromium, served, pictures) as shown:
        yield shown


async def number_of(desk: Screen) -> str:
    """The number on the screen where somebody signs in."""
    return re.sub(r"\D", "", await desk.page.locator(".number").filter(visible=True).inner_text())


async def scan(desk: Screen, phone: Screen) -> None:
    """Open on the phone what the picture says, as its camera would, and name the phone."""
    await phone.page.goto(await desk.picture_says())
    await phone.says("Name this phone.")
    await phone.page.get_by_label("Name").fill("Pixel 8")


async def set_up(desk: Screen, phone: Screen) -> None:
    """From the bank to a phone that approves."""
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    await desk.says("Set up your phone.")
    await scan(desk, phone)
    await phone.press("Set up this phone")
    await phone.says("Enter the number beside the picture.")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Confirm")
    await desk.says("Save your backup codes.")
    await desk.page.get_by_label("They're saved somewhere other than this phone").check()
    await desk.press("Continue")
    await desk.press("Continue to Meridian Bank")
    await desk.says("Good day, Maya Lindqvist.")
    if await phone.page.get_by_text("Shall this phone tell you?").is_visible():
        await phone.press("Not now")
    await phone.says("Nothing is waiting.")


async def sign_in(desk: Screen) -> None:
    """Once more, from a browser that the bank does not know, up to the number."""
    for press in ("Sign out", "Try something", "Be a new browser"):
        await desk.press(press)
    await ask(desk)


async def ask(desk: Screen) -> None:
    """Sign in and have the phone asked."""
    await desk.press("Sign in", exact=True)
    await desk.says("Approve on Pixel 8.")
    await desk.press("Ask my phone")
    await desk.says("Check Pixel 8.")


async def deliver(cdp: CDPSession, page: Page, origin: str, message: str, title: str) -> list[list[Any]]:
    """Hand the service worker a message, as the browser does with one that its push service brought.

    The answer is all that is shown once there is one of this title: title, body, how many buttons.
    """
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def registered(event: dict[str, Any]) -> None:
        if event["registrations"] and not found.done():
            found.set_result(event["registrations"][0]["registrationId"])

    cdp.on("ServiceWorker.workerRegistrationUpdated", registered)
    await cdp.send("ServiceWorker.enable")
    where = {"origin": origin, "registrationId": await found}
    await cdp.send("ServiceWorker.deliverPushMessage", where | {"data": message})
    await cdp.send("ServiceWorker.disable")
    async with asyncio.timeout(10):
        while title not in [told for told, *_ in await page.evaluate(NOTIFICATIONS)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # a page hears of no notification
    told: list[list[Any]] = await page.evaluate(NOTIFICATIONS)
    return told


async def test_set_up_and_approve(desk: Screen, phone: Screen) -> None:
    """The picture, the number beside it, backup codes; then a sign-in that the phone approves."""
    await set_up(desk, phone)
    await sign_in(desk)
    await phone.says("Signing in to")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)
    await desk.says("Good day, Maya Lindqvist.")
    await phone.says("Approved.")


async def test_every_screen_on_the_way_to_a_phone(desk: Screen, phone: Screen) -> None:
    """Wrong codes and numbers are told where they are typed; both sides look right, and help who cannot scan."""
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    await desk.says("Waiting for your phone")
    await desk.looks_right("push-setup", waits=True)
    await phone.go("/authenticator")
    await phone.says("Set up this phone.")
    await phone.looks_right("authenticator-begin")
    await phone.page.fill("#pairing-code", "not a code")
    await phone.press("Continue")
    await phone.says("That isn't the whole code.")
    await phone.looks_right("authenticator-begin-wrong")
    await desk.press("Can't scan it?")
    shown = await desk.page.locator(".key-text").inner_text()
    await phone.page.fill("#pairing-code", shown.lower())
    await phone.press("Continue")
    await phone.says("Name this phone.")
    await phone.looks_right("authenticator-name")
    await phone.page.get_by_label("Name").fill("Pixel 8")
    await phone.press("Set up this phone")
    await phone.says("Enter the number beside the picture.")
    await phone.looks_right("authenticator-number")
    await desk.says("Enter this number on your phone.")
    await desk.looks_right("push-setup-scanned", waits=True)
    await phone.page.fill("#number", "12")
    await phone.press("Confirm")
    await phone.says("The number has six digits.")
    wrong = "000000" if await number_of(desk) != "000000" else "000001"
    await phone.page.fill("#number", wrong)
    await phone.press("Confirm")
    await phone.says("That wasn't the number, so this phone was not set up.")
    await desk.says("Your phone was not set up.")
    await desk.looks_right("push-setup-failed")
    await desk.press("Get a new picture")
    await scan(desk, phone)
    await phone.press("Set up this phone")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Confirm")
    await desk.says("Save your backup codes.")


@pytest.mark.requirement("P1", "P2")
async def test_approve_no_and_wrong(desk: Screen, phone: Screen, served: Served) -> None:
    """What the phone shows, and what each of its answers does where somebody signs in."""
    await set_up(desk, phone)
    await phone.looks_right("authenticator-home", waits=True)
    for press in ("Sign out", "Try something", "Be a new browser"):
        await desk.press(press)
    await desk.press("Sign in", exact=True)
    await desk.says("Approve on Pixel 8.")
    await desk.looks_right("push-ask")
    await desk.press("Ask my phone")
    await desk.says("Check Pixel 8.")
    await desk.looks_right("push-check", waits=True)
    await phone.says("Signing in to Meridian Bank?")
    await expect(phone.page.locator("body")).to_contain_text("just now")
    assert await number_of(desk) not in await phone.page.content()
    await phone.looks_right("authenticator-question", waits=True)
    wrong = "000000" if await number_of(desk) != "000000" else "000001"
    await phone.page.fill("#number", wrong)
    await phone.press("Approve", exact=True)
    await phone.says("That wasn't the number.")
    await phone.looks_right("authenticator-wrong", waits=True)
    await desk.says("That wasn't the number.")
    await desk.looks_right("push-wrong")
    await desk.press("Get a new number")
    await phone.says("Signing in to Meridian Bank?")
    await phone.press("No", exact=True)
    await phone.says("What happened?")
    await phone.looks_right("authenticator-no", waits=True)
    await phone.press("Back")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)
    await phone.says("Approved.")
    await phone.looks_right("authenticator-approved", waits=True)
    await desk.says("Good day, Maya Lindqvist.")
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")
    await phone.press("No", exact=True)
    await phone.press("I changed my mind")
    await phone.says("Nobody was let in.")
    await phone.looks_right("authenticator-denied", waits=True)
    await desk.says("You said no on your phone.")
    await desk.looks_right("push-denied")


@pytest.mark.requirement("P5")
async def test_it_was_not_me(desk: Screen, phone: Screen) -> None:
    """Blocked at once, on both screens; the phone is asked no more until its owner proves another way."""
    await set_up(desk, phone)
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")
    await phone.press("No", exact=True)
    await phone.press("It wasn't me: block it")
    await phone.says("Blocked.")
    await expect(phone.page.locator("body")).to_contain_text("Change your Meridian Bank password now.")
    await phone.looks_right("authenticator-blocked", waits=True)
    await desk.says("This was blocked on your phone.")
    await desk.press("Back to Meridian Bank")
    await desk.press("Sign in", exact=True)
    await desk.press("Ask my phone")
    await desk.says("Pixel 8 is not asked for now.")
    await desk.looks_right("push-blocked")
    await phone.press("Done")
    await phone.page.reload()
    await phone.says("Blocked. Sign in another way")
    await phone.looks_right("authenticator-home-blocked", waits=True)


async def test_time_runs_out(desk: Screen, phone: Screen, served: Served) -> None:
    """Both screens say so by themselves, move nothing, and a new number is one press away."""
    await set_up(desk, phone)
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")
    served.clock.advance(121 * SECOND)
    await phone.says("Time ran out.")
    phone.faults.clear()  # the note of a 401: the clock of the server jumped, and the phone learned of it so
    await phone.looks_right("authenticator-expired", waits=True)
    await desk.says("Time ran out.")
    await desk.looks_right("push-expired", waits=True)
    await desk.press("Get a new number")
    await phone.says("Signing in to Meridian Bank?")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)
    await desk.says("Good day, Maya Lindqvist.")


async def test_the_portal_sets_up_proves_and_removes_phones(desk: Screen, phone: Screen) -> None:
    """Proof by the phone itself; a second phone; the first one removed, which then hears of it."""
    await set_up(desk, phone)
    await desk.press("My ways to sign in")
    await desk.press("Open my page")
    await desk.says("Approve on Pixel 8")
    await desk.says("It isn't told of sign-ins.")
    await desk.looks_right("portal-phone")
    await desk.press("Prove it's you")
    await desk.looks_right("portal-prove-push")
    await desk.press("Ask my phone")
    await desk.says("Check Pixel 8.")
    await desk.looks_right("portal-check", waits=True)
    await phone.says("Changing how you sign in to")
    await phone.looks_right("authenticator-own-page", waits=True)
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)
    await desk.says("You can make changes now.")
    await desk.press("Approve on a phone")
    await desk.says("Set up your phone.")
    await desk.looks_right("portal-phone-setup", waits=True)
    await desk.press("Cancel")
    await desk.page.get_by_role("link", name="Change Approve on Pixel 8").click()
    await desk.press("Remove")
    await desk.says("It's removed")
    await phone.press("Done")
    await phone.says("Removed: this phone lets nobody in here any more.")
    phone.faults.clear()  # the browser's own note that the answer was 401
    await phone.looks_right("authenticator-removed", waits=True)
    await phone.press("Clear")
    await phone.says("Set up this phone.")


async def test_on_ios_no_key_is_made_in_a_tab(chromium: Browser, served: Served, pictures: Path | None) -> None:
    """The page shows how to install it; the code waits in the manifest of this very page, and to be copied."""
    async with screen(chromium, served, pictures, agent=IPHONE) as tab:
        await tab.page.goto(f"{served.url}/authenticator#{CODE}")
        await tab.says("Put this page on your Home Screen first.")
        await tab.says("0123 4567 89AB CDEF GHJK MNPQ")
        assert tab.page.url == f"{served.url}/authenticator", "the code stays in no history"
        await tab.looks_right("authenticator-ios")
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
    told = NOTIFICATION | {"navigate": f"{served.url}/authenticator?challenge=x"}
    message = json.dumps({"web_push": 8030, "notification": told})
    shown = await deliver(cdp, phone.page, served.url, message, NOTIFICATION["title"])
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
    phone.faults.clear()  # what could not be loaded
    await phone.looks_right("authenticator-offline", waits=True)
    await phone.page.context.set_offline(False)
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")


async def test_scripts_are_not_needed_where_somebody_signs_in(chromium: Browser, served: Served, phone: Screen) -> None:
    """The phone needs them: it signs. The sign-in looks again by itself, and has a button."""
    async with screen(chromium, served, scripts=False) as desk:
        await desk.go("/demo")
        await desk.press("Sign in", exact=True)
        await desk.press("Set up now")
        await desk.press("Approve on your phone instead")
        await scan(desk, phone)
        await phone.press("Set up this phone")
        await phone.page.fill("#number", await number_of(desk))
        await phone.press("Confirm")
        await phone.says("Shall this phone tell you?")
        await desk.press("I have entered it")
        await desk.says("Save your backup codes.")


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
    await phone.says("Jonas Weber")
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
