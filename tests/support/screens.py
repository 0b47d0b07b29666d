"""Pages in Chromium: served on a port of their own, looked at in every shape, and judged by axe-core."""

from __future__ import annotations

import asyncio
import io
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import time_machine
import uvicorn
import zxingcpp
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from PIL import Image
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from nightlatch.adapters.delivery.demo import DemoGateway
from nightlatch.adapters.memory.wakeups import InProcessWakeUps
from nightlatch.adapters.sql.outbox import SqlOutbox
from nightlatch.adapters.system import SystemClock
from nightlatch.bootstrap.delivery import Outlets, WakingStore, delivering
from nightlatch.domain.brand import Brand
from nightlatch.domain.time import SECOND
from nightlatch.ports.delivery import Accepted, NotSent, Text
from nightlatch.web.app import build
from nightlatch.web.pages.routes import page_handlers
from nightlatch.web.settings import WebSettings
from tests.support.ports import World

Scheme = Literal["light", "dark"]

PHONE, DESK = (390, 844), (1280, 800)

WITHIN = 30_000
"""Milliseconds: a page asks again after some seconds, and a busy machine takes its time."""

expect.set_options(timeout=WITHIN)

SHIFTED = """() => new Promise((tell) => {
  let shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) shifted += entry.value;
    tell(shifted);
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => tell(shifted), 100);
})"""
"""How much has moved on the page by itself, as the browser counts it (Layout Instability: share of the screen, moved)."""

STILL = 0.02
"""Less than any button that moves away; a note that appears under the rest is no more."""

SMALLEST = (320, 640)
"""1280 pixels at 400 % (WCAG 2.2 §1.4.10)."""

SHAPES: tuple[tuple[str, tuple[int, int], Scheme], ...] = (
    ("phone-light", PHONE, "light"),
    ("phone-dark", PHONE, "dark"),
    ("desk-light", DESK, "light"),
    ("desk-dark", DESK, "dark"),
)


@dataclass
class MovingClock:
    """The clock of this whole process, server and bank alike: it runs, and a test may move it ahead."""

    traveller: time_machine.Traveller

    def now(self) -> int:
        """The instant in µs."""
        return time.time_ns() // 1000

    def advance(self, duration: int) -> None:
        """Let so many µs pass."""
        self.traveller.shift(duration / SECOND)


@dataclass
class Served:
    """The demo on a port of its own."""

    url: str
    world: World
    clock: MovingClock
    gateway: HeldGateway


@dataclass
class Screen:
    """One page in Chromium. ``faults`` are console errors, script errors and refused loads."""

    page: Page
    served: Served
    pictures: Path | None
    faults: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    forgiven: set[str] = field(default_factory=set)

    async def go(self, path: str) -> None:
        """Open a page of the server; the demo's first makes thirty days of past, on a busy machine slowly."""
        await self.page.goto(self.served.url + path, timeout=60_000)

    async def press(self, name: str, *, exact: bool = False) -> None:
        """Press the first visible button, link or fold of this name."""
        pattern = re.compile(f"^{re.escape(name)}$" if exact else re.escape(name))
        found = self.page.get_by_role("button", name=pattern).or_(self.page.get_by_role("link", name=pattern))
        found = found.or_(self.page.locator("summary", has_text=pattern))
        await found.filter(visible=True).first.click()

    async def says(self, words: str) -> None:
        """Wait until the page says this."""
        await expect(self.page.get_by_text(words).filter(visible=True).first).to_be_visible()

    def forgive(self, words: str) -> None:
        """What holds these words is no fault, whenever it is heard: the browser notes each answer that is an error."""
        self.forgiven.add(words)
        self.faults[:] = [fault for fault in self.faults if words not in fault]

    def hear(self, fault: str) -> None:
        """Note what the browser complains of."""
        if not any(words in fault for words in self.forgiven):
            self.faults.append(fault)

    async def looks_right(self, name: str, *, waits: bool = False) -> None:
        """No fault, nothing for axe-core in either scheme, no sideways scrolling at 400 %; and its pictures.

        A page that ``waits`` for news has a request open all the time.
        """
        await self.page.wait_for_load_state("load" if waits else "networkidle")
        assert not self.faults, (name, self.faults)
        shifted = await self.page.evaluate(SHIFTED)
        assert shifted < STILL, f"{name}: what it holds moves by itself while somebody aims at it ({shifted})"
        for shape, size, scheme in SHAPES:
            await self._shape(size, scheme)
            if self.pictures is not None:
                await self.page.screenshot(path=self.pictures / f"{name}-{shape}.png", full_page=True)
            if shape in ("phone-light", "desk-dark", "phone-dark"):
                await self._accessible(f"{name}, {shape}")
        await self._shape(SMALLEST, "light")
        wide = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide at 400 %"
        await self._shape(DESK, "light")
        self.seen.add(name)

    async def _shape(self, size: tuple[int, int], scheme: Scheme) -> None:
        await self.page.set_viewport_size({"width": size[0], "height": size[1]})
        await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    async def _accessible(self, name: str) -> None:
        found = await Axe().run(self.page)
        told = [
            (violation["id"], [node["html"][:160] for node in violation["nodes"]])
            for violation in found.response["violations"]
        ]
        assert not told, (name, told)

    async def picture_says(self) -> str:
        """What the picture on the page says, read from its pixels as a camera would."""
        picture = self.page.locator("figure.picture").filter(visible=True).first
        shot = Image.open(io.BytesIO(await picture.screenshot()))
        read = zxingcpp.read_barcodes(shot)
        assert len(read) == 1
        return str(read[0].text)


class HeldGateway(DemoGateway):
    """The demo's gateway, which a test may hold shut."""

    down = False

    async def send(self, text: Text) -> Accepted:
        """Show it on the demo's phone, or do not take it."""
        if self.down:
            raise NotSent("held_shut")
        return await super().send(text)


@asynccontextmanager
async def serving_demo(world: World) -> AsyncIterator[Served]:
    """The demo under a clock that runs, and that a test may move ahead."""
    world.clock.at = time.time_ns() // 1000
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://localhost:{sock.getsockname()[1]}"
    site = replace(world.ports.site, public_url=url, issuer="Meridian")
    queued, clock = InProcessWakeUps(), SystemClock()
    outbox = SqlOutbox(world.database, clock, world.ports.entropy)
    store = WakingStore(world.ports.store, queued)
    world.ports = replace(world.ports, clock=clock, site=site, store=store, outbox=outbox)
    gateway = HeldGateway(world.ports.clock)
    settings = WebSettings(public_url=url, demo=True, brand=Brand(name="Meridian", help_phone="+49 30 5550100"))
    app = build(world.ports, settings, extra_handlers=page_handlers(world.ports, settings, gateway))
    config = uvicorn.Config(app, log_level="warning", proxy_headers=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with delivering(world.ports, Outlets(texts=(gateway,)), queued):
            with time_machine.travel(time.time(), tick=True) as traveller:
                yield Served(url, world, MovingClock(traveller), gateway)
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await running
        await outbox.close()
        sock.close()


@asynccontextmanager
async def screen(
    chromium: Browser, served: Served, pictures: Path | None = None, *, scripts: bool = True, agent: str | None = None
) -> AsyncIterator[Screen]:
    """A browser with an empty profile at the demo."""
    context: BrowserContext = await chromium.new_context(
        viewport={"width": DESK[0], "height": DESK[1]}, java_script_enabled=scripts, locale="en-GB", user_agent=agent
    )
    context.set_default_timeout(WITHIN)
    page = await context.new_page()
    shown = Screen(page, served, pictures)

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            shown.hear(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: shown.hear(str(error)))
    try:
        yield shown
    finally:
        await context.close()


def oathtool(uri: str, clock: MovingClock, *, ahead: int = 0) -> str:
    """The code that OATH Toolkit computes from what a picture says."""
    secret = re.search(r"[?&]secret=([A-Z2-7]+)", uri)
    assert secret is not None
    at = clock.now() // SECOND + ahead
    command = ["oathtool", "--totp", "--base32", "--now", f"@{at}", secret[1]]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
