"""The demo on a port, and the two browsers of a person: one at the bank, one that is their phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.ports import World
from tests.support.screens import Screen, Served, screen, serving_demo


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
