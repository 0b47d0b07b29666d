"""Approving on a phone, with two real browsers: one at the bank, one as the phone. Every screen is looked at."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, expect

from nightlatch.domain.time import SECOND
from tests.support.ports import World
from tests.support.screens import Screen, Served, screen, serving_demo

pytestmark = [pytest.mark.pictures]


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


async def test_set_up_and_approve(desk: Screen, phone: Screen) -> None:
    """The picture, the number beside it, backup codes; then a sign-in that the phone approves."""
    await set_up(desk, phone)
    await sign_in(desk)
    await phone.says("Signing in to")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)
    await desk.says("Good day, Maya Lindqvist.")
    await phone.says("Approved.")
