"""The documentation of a server in Chromium: readable in every shape, usable by everybody, calls that copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support.screens import Served, screen

pytestmark = [pytest.mark.pictures]


async def test_a_builder_reads_copies_and_looks_an_error_up(
    chromium: Browser, served: Served, pictures: Path | None
) -> None:
    async with screen(chromium, served, pictures) as builder:
        await builder.go("/docs")
        await builder.looks_right("docs-reference")
        operation = builder.page.locator("#verify_once")
        await operation.get_by_text("Python", exact=True).click()
        await operation.get_by_role("button", name="Copy").last.click()
        await expect(operation.get_by_role("button", name="Copied")).to_be_visible()
        await builder.page.get_by_role("link", name="Errors").click()
        await builder.looks_right("docs-errors")
        await builder.page.get_by_role("link", name="step_up_required").click()
        await builder.says("The person must approve this first")
        await builder.looks_right("docs-error")
