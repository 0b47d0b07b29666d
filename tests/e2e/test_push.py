"""Approving on a phone, with two real browsers: one at the bank, one as the phone. Every screen is looked at."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from email.utils import formatdate
from typing import Any

import pytest
from playwright.async_api import Browser, Error, Route, expect

from nightlatch.app.authenticate import authenticate
from nightlatch.app.challenge import open_challenge
from nightlatch.app.factors.find import list_factors
from nightlatch.app.messages import ContextIn, NewAuthentication, NewChallenge
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.time import SECOND
from nightlatch.web.pages.demo.people import MAYA
from tests.support.pushing import number_of, scan, set_up, sign_in
from tests.support.screens import Screen, Served, screen

pytestmark = [pytest.mark.pictures]


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
    phone.forgive("401")  # the clock of the server jumps, and the phone learns of it so
    served.clock.advance(121 * SECOND)
    await phone.says("Time ran out.")
    await phone.looks_right("authenticator-expired", waits=True)
    await desk.says("Time ran out.")
    await desk.looks_right("push-expired", waits=True)
    await desk.press("Get a new number")
    await phone.says("Signing in to Meridian Bank?")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)
    await desk.says("Good day, Maya Lindqvist.")


async def test_a_wrong_clock_on_a_slow_line_removes_no_phone(desk: Screen, phone: Screen, served: Served) -> None:
    """What is refused for its time is asked once more with the right one, however late the refusal came."""
    await set_up(desk, phone)

    async def slowly(route: Route) -> None:
        await asyncio.sleep(2)  # the line
        with suppress(Error):  # whoever asked has gone
            await route.continue_()

    await phone.page.route("**/v1/push/**", slowly)
    phone.forgive("401")
    async with phone.page.expect_response(lambda response: response.status == 401):
        served.clock.advance(121 * SECOND)
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")


async def test_one_refusal_removes_no_phone(desk: Screen, phone: Screen, served: Served) -> None:
    """A server whose clock was just set refuses, and tells the old time for a moment more."""
    await set_up(desk, phone)
    phone.forgive("401")
    old, refused = formatdate(served.clock.now() / SECOND, usegmt=True), asyncio.Event()

    async def stale(route: Route) -> None:
        with suppress(Error):  # whoever asked has gone
            response = await route.fetch()
            if response.status != 401 or refused.is_set():
                return await route.fulfill(response=response)
            refused.set()
            await route.fulfill(response=response, headers=response.headers | {"date": old})

    await phone.page.route("**/v1/push/**", stale)
    served.clock.advance(121 * SECOND)
    await refused.wait()
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")
    await phone.page.unroute_all(behavior="ignoreErrors")


async def test_an_answered_question_does_not_come_again(desk: Screen, phone: Screen) -> None:
    """A list of what waits that was asked for before the answer, and comes after it, shows nothing."""
    await set_up(desk, phone)
    await sign_in(desk)
    await phone.says("Signing in to Meridian Bank?")
    listed, release, later = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def held(route: Route) -> None:
        if release.is_set():
            later.set()
            return await route.continue_()
        response = await route.fetch()
        listed.set()
        await release.wait()
        await route.fulfill(response=response)

    await phone.page.route("**/v1/push/challenges?*", held)
    await listed.wait()
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)
    await phone.says("Approved.")
    release.set()
    await later.wait()  # so what was held has been read
    await expect(phone.page.get_by_text("Approved.")).to_be_visible()
    await phone.page.unroute_all(behavior="ignoreErrors")


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
    phone.forgive("401")  # which is how it hears that it was removed
    await desk.press("Remove")
    await desk.says("It's removed")
    await phone.press("Done")
    await phone.says("Removed: this phone lets nobody in here any more.")
    await phone.looks_right("authenticator-removed", waits=True)
    await phone.press("Clear")
    await phone.says("Set up this phone.")


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
        await desk.says("Your phone has answered.")  # at its next look
        await desk.press("Turn on")
        await desk.says("Save your backup codes.")


@pytest.mark.requirement("P4")
async def test_the_phone_says_all_of_what_it_signs(desk: Screen, phone: Screen, served: Served) -> None:
    """Whatever the application calls it, and however deep its details lie."""
    await set_up(desk, phone)
    ports = served.world.ports
    bank = await served.world.application("bank of details")
    (way,) = [f for f in (await list_factors(ports, bank, MAYA.username)).data if f.kind is FactorKind.PUSH]

    async def ask_for(action: str, details: dict[str, Any] | None = None) -> None:
        context = ContextIn(ip="192.0.2.7", user_agent="Mozilla/5.0")
        new = NewAuthentication(user=MAYA.username, action=action, action_details=details, context=context)
        await open_challenge(ports, bank, (await authenticate(ports, bank, new)).id, NewChallenge(factor=way.id))

    details = {"amount": 5, "to": {"iban": "DE02", "limits": [10, {"per_day": True}]}, "note": None, "<b>": "<i>"}
    await ask_for("pay_invoice", details)
    await phone.says("bank of details asks you to confirm: pay invoice.")
    rows = phone.page.locator("[data-details] > div")
    assert [" = ".join(text.split("\n")) for text in await rows.all_inner_texts()] == [
        "amount = 5",
        "to / iban = DE02",
        "to / limits / 1 = 10",
        "to / limits / 2 / per day = true",
        "note = nothing",
        "<b> = <i>",
    ]
    await phone.looks_right("authenticator-question-details", waits=True)
    await phone.press("No", exact=True)
    await phone.press("I changed my mind")
    await phone.says("Nobody was let in.")
    await phone.press("Done")
    await phone.says("Nothing is waiting.")
    await ask_for("manage_factors")
    await phone.says("Changing how you sign in, for bank of details?")
    assert await rows.count() == 0
