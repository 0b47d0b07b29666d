"""The system's Chromium, driven by Playwright.

The asynchronous face is used throughout: Playwright's synchronous one leaves a running loop in the thread, and every
asyncio test that follows in the same worker fails.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium as root knows no sandbox; the rest keeps it from looking for hosts that tests must not reach.
FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def executable() -> str:
    """The path of the browser; RuntimeError with what to do when there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise RuntimeError("Chromium is not installed: run tools/system_packages test")


@asynccontextmanager
async def open_chromium(*extra_flags: str) -> AsyncIterator[Browser]:
    """A headless browser with an empty profile, closed at the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=[*FLAGS, *extra_flags])
        try:
            yield browser
        finally:
            await browser.close()
