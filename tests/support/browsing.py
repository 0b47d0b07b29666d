"""A browser without scripts: it keeps cookies and fills in forms. What it cannot do, no page may need."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any, cast
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from litestar import Litestar

from nightlatch.app.applications.by_key import caller_by_key
from nightlatch.app.applications.create import create_application
from nightlatch.app.authenticate import authenticate
from nightlatch.app.context import Caller
from nightlatch.app.messages import (
    AuthenticationAnswer,
    ContextIn,
    NewApplication,
    NewAuthentication,
    ResultAnswer,
    ResultRequest,
)
from nightlatch.app.result import redeem_result
from nightlatch.domain.brand import Brand
from nightlatch.domain.factors.otpauth import parse
from nightlatch.web.app import build
from nightlatch.web.pages.routes import page_handlers
from nightlatch.web.settings import WebSettings
from tests.support.ports import OPERATOR, SITE, Phone, World

RETURN_URL = "https://bank.example/back?from=nightlatch"
STATE = "the-session's-own-state"
HOME = "192.0.2.7"
SETTINGS = WebSettings(public_url=SITE.public_url, brand=Brand(name="Meridian", help_phone="+49 30 5550100"))


@dataclass
class Form:
    """A form of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.open: Form | None = None
        self.links: list[str] = []
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert given["method"] == "post", "forms act, and acting is posting"
            self.open = Form(given["action"])
            self.forms.append(self.open)
        elif tag == "input" and self.open is not None and given.get("type") != "checkbox":
            self.open.fields[given.get("name", "")] = given.get("value", "")
        elif tag == "a":
            self.links.append(given["href"])
        self._silent += tag in ("title", "svg")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = None
        self._silent -= tag in ("title", "svg")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


@dataclass
class Visitor:
    """One browser. ``page`` is what it shows."""

    http: httpx.AsyncClient
    page: httpx.Response = field(init=False)

    async def get(self, address: str) -> Visitor:
        """Open an address; redirects within the site are followed."""
        return await self._follow(await self.http.get(address, headers=self._headers()))

    async def submit(self, action: str, **fields: str) -> Visitor:
        """Send the form whose action ends so, with what its page put in."""
        form = self.form(action)
        address = urljoin(str(self.page.url), form.action)
        headers = {"sec-fetch-site": "same-origin", "origin": "null"}
        return await self._follow(await self.http.post(address, data=form.fields | fields, headers=headers))

    def form(self, action: str) -> Form:
        """The form whose action ends so."""
        found = [form for form in self._read().forms if form.action.endswith(action)]
        assert found, (action, self.text)
        return found[0]

    @property
    def forms(self) -> list[Form]:
        """All forms of the page."""
        return self._read().forms

    @property
    def links(self) -> list[str]:
        """Where the page's links lead."""
        return self._read().links

    @property
    def text(self) -> str:
        """What the page says, in one line."""
        return re.sub(r"\s+", " ", " ".join(self._read().said)).strip()

    @property
    def codes(self) -> list[str]:
        """The backup codes that the page shows."""
        return re.findall(r"<code>([^<]+)</code>", self.page.text)

    @property
    def left_with(self) -> dict[str, str]:
        """What the application was told, when the browser was sent back."""
        address = self.page.headers["location"]
        assert address.startswith(RETURN_URL + "&"), address
        return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}

    def scanned(self, world: World) -> Phone:
        """A phone that has read the picture (by the address that it holds)."""
        uri = next(link for link in self.links if link.startswith("otpauth:"))
        return Phone(world.clock, "", parse(uri))

    async def _follow(self, page: httpx.Response) -> Visitor:
        while page.is_redirect and urlsplit(page.headers["location"]).netloc in ("", "mfa.example"):
            page = await self.http.get(urljoin(str(page.url), page.headers["location"]), headers=self._headers())
        self.page = page
        return self

    def _headers(self) -> dict[str, str]:
        return {"sec-fetch-site": "none"}

    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.page.text)
        return reader


@dataclass
class Bank:
    """An application with a return address, over the use cases."""

    world: World
    caller: Caller

    async def send(self, user: str = "maya", *, ip: str = HOME, **more: Any) -> AuthenticationAnswer:
        """Ask for a decision on a sign-in."""
        context = ContextIn(ip=ip, user_agent="Mozilla/5.0", device_token=more.pop("device_token", None))
        request = NewAuthentication(user=user, context=context, return_url=RETURN_URL, state=STATE, **more)
        return await authenticate(self.world.ports, self.caller, request)

    async def result(self, left_with: dict[str, str]) -> ResultAnswer:
        """Fetch what the prompt ended with."""
        assert left_with["state"] == STATE
        request = ResultRequest(code=left_with["code"])
        return await redeem_result(self.world.ports, self.caller, left_with["authentication"], request)


@dataclass
class Pages:
    """The pages under test, in this process."""

    world: World
    app: Litestar
    bank: Bank

    @asynccontextmanager
    async def browser(self, peer: str = HOME) -> AsyncIterator[Visitor]:
        """A browser of its own at an address."""
        transport = httpx.ASGITransport(cast("Any", self.app), client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url=SITE.public_url) as http:
            yield Visitor(http)


async def open_pages(world: World, settings: WebSettings = SETTINGS) -> Pages:
    """Pages over a world, and a bank that sends people to them."""
    app = build(world.ports, settings, extra_handlers=page_handlers(world.ports, settings))
    new = NewApplication(name="Meridian Bank", scopes=["admin"], return_urls=[RETURN_URL], first_factor="pwd")
    created = await create_application(world.ports, OPERATOR, new)
    caller = replace(await caller_by_key(world.ports, created.api_key), actor=f"application:{created.id}")
    return Pages(world, app, Bank(world, caller))


async def pages_with_maya(world: World) -> Pages:
    """Pages, a bank, and Maya, who has no way yet."""
    opened = await open_pages(world)
    await world.person(opened.bank.caller)
    return opened


async def to_prompt(pages: Pages, browser: Visitor, **more: object) -> Visitor:
    """Sign in at the bank and follow it to the prompt."""
    attempt = await pages.bank.send(**more)  # type: ignore[arg-type]
    assert attempt.prompt_url is not None
    return await browser.get(attempt.prompt_url)
