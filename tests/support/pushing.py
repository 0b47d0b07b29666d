"""A phone played by a browser: set up from the bank, asked, and handed what was pushed."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from playwright.async_api import CDPSession, Page, expect

from tests.support.screens import Screen

NOTIFICATIONS = (
    "navigator.serviceWorker.ready.then((it) => it.getNotifications())"
    ".then((all) => all.map((one) => [one.title, one.body, one.actions.length]))"
)
"""In the phone's page: title, body and number of buttons of all that is shown."""


async def number_of(desk: Screen) -> str:
    """The number on the screen where somebody signs in."""
    return re.sub(r"\D", "", await desk.page.locator(".number").filter(visible=True).inner_text())


async def scan(desk: Screen, phone: Screen) -> None:
    """Open on the phone what the picture says, as its camera would, and name the phone."""
    await desk.says("Set up your phone.")
    await phone.page.goto(await desk.picture_says())
    await phone.says("Name this phone.")
    await phone.page.get_by_label("Name").fill("Pixel 8")


async def set_up(desk: Screen, phone: Screen, *, lock: str | None = None) -> None:
    """From the bank to a phone that approves. ``lock`` is pressed on a phone that offers one."""
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    await scan(desk, phone)
    await phone.press("Set up this phone")
    if lock is not None:
        await phone.press(lock)
    await phone.says("Enter the number beside the picture.")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Confirm")
    await desk.says("Save your backup codes.")
    await desk.page.get_by_label("They're saved somewhere other than this phone").check()
    await desk.press("Continue")
    await desk.press("Continue to Meridian Bank")
    await desk.says("Good day, Maya Lindqvist.")
    offer, home = (phone.page.get_by_text(words) for words in ("Shall this phone tell you?", "Nothing is waiting."))
    await expect(offer.or_(home)).to_be_visible()  # the other browser may be quicker than this one
    if await offer.is_visible():
        await phone.press("Not now")
    await phone.says("Nothing is waiting.")


async def ask(desk: Screen) -> None:
    """Sign in and have the phone asked."""
    await desk.press("Sign in", exact=True)
    await desk.says("Approve on Pixel 8.")
    await desk.press("Ask my phone")
    await desk.says("Check Pixel 8.")


async def sign_in(desk: Screen) -> None:
    """Once more, from a browser that the bank does not know, up to the number."""
    for press in ("Sign out", "Try something", "Be a new browser"):
        await desk.press(press)
    await ask(desk)


async def deliver(cdp: CDPSession, page: Page, origin: str, message: str, title: str) -> list[list[Any]]:
    """Hand the service worker a message, as the browser does with one that its push service brought.

    The answer is all that is shown once there is one of this title: title, body, how many buttons.
    """
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def registered(event: dict[str, Any]) -> None:
        if event["registrations"] and not found.done():
            found.set_result(event["registrations"][0]["registrationId"])

    cdp.on("ServiceWorker.workerRegistrationUpdated", registered)
    await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    await cdp.send("ServiceWorker.enable")
    where = {"origin": origin, "registrationId": await found}
    await cdp.send("ServiceWorker.deliverPushMessage", where | {"data": message})
    await cdp.send("ServiceWorker.disable")
    async with asyncio.timeout(30):
        while title not in [told for told, *_ in await page.evaluate(NOTIFICATIONS)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # a page hears of no notification
    told: list[list[Any]] = await page.evaluate(NOTIFICATIONS)
    return told
