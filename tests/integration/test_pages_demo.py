"""The demo over real parts: who may see it, and that its bank believes nothing that is not signed for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from nightlatch.app.authenticate import authenticate
from nightlatch.app.messages import ContextIn, NewAuthentication
from nightlatch.ports.directory import UserFilter
from nightlatch.web.app import build
from nightlatch.web.pages.demo.people import AMARA, EVERYBODY, JONAS, MAYA, PAYROLL
from nightlatch.web.pages.demo.stage import NotHere, Stage
from nightlatch.web.pages.routes import page_handlers
from nightlatch.web.settings import WebSettings
from tests.support.browsing import open_pages
from tests.support.ports import World

URL = "http://localhost:8080"


@pytest.fixture
async def demo(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on this machine at a server that carries the demo."""
    ports = replace(world.ports, site=replace(world.ports.site, public_url=URL))
    settings = WebSettings(public_url=URL, demo=True)
    app = build(ports, settings, extra_handlers=page_handlers(ports, settings))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))  # type: ignore[arg-type]  # ours is typed closer
    async with httpx.AsyncClient(transport=transport, base_url=URL) as http:
        yield http


@pytest.mark.requirement("X6")
async def test_a_server_without_the_demo_has_none_of_it(world: World) -> None:
    """Not a page, not a form."""
    pages = await open_pages(world)
    async with pages.browser("127.0.0.1") as browser:
        for path in ("/demo", "/demo/stage.json", "/demo/bank/return"):
            assert (await browser.http.get(path)).status_code == 404
        assert (await browser.http.post("/demo/flood", data={"csrf": ""})).status_code == 404
        assert "demo/dock" not in (await browser.http.get("/prompt/x")).text


@pytest.mark.requirement("X6")
async def test_the_demo_refuses_to_be_published(world: World) -> None:
    """An address that others can reach stops it at the start."""
    for address in ("https://mfa.example", "http://192.0.2.1:8080", "https://localhost.example"):
        with pytest.raises(NotHere):
            Stage(world.ports, address)


@pytest.mark.requirement("X6")
async def test_the_demo_answers_this_machine_alone(demo: httpx.AsyncClient) -> None:
    """Neither another machine nor a foreign name that was pointed here."""
    assert (await demo.get("/demo", headers={"host": "evil.example"})).status_code == 404
    outside = httpx.ASGITransport(demo._transport.app, client=("192.0.2.7", 4711))  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=outside, base_url=URL) as other:
        assert (await other.get("/demo")).status_code == 404
        assert (await other.get("/demo/stage.json")).status_code == 404


async def test_the_past_is_made_once_by_the_real_use_cases(world: World, demo: httpx.AsyncClient) -> None:
    """Thirty days, each person as their story says; opening the page again adds nothing."""
    assert (await demo.get("/demo")).status_code == 200
    ports = world.ports
    users = {user.username: user for user in await ports.directory.users(UserFilter(), after=None, limit=50)}
    assert set(users) == {person.username for person in EVERYBODY}
    decisions = {
        name: {a.decision for a in await ports.directory.sign_ins(user.id, limit=200)} for name, user in users.items()
    }
    assert decisions[MAYA.username] == set()
    assert {"allow", "challenge"} <= decisions[AMARA.username]
    assert decisions[JONAS.username] == {"enroll"}
    assert "allow" in decisions[PAYROLL.username]
    events = len(await world.events())
    assert (await demo.get("/demo")).status_code == 200
    assert len(await world.events()) == events


async def test_after_thirty_days_nothing_is_put_off(world: World, demo: httpx.AsyncClient) -> None:
    """The story of Jonas is policy's, not the demo's."""
    await demo.get("/demo")
    kept = next(iter(await world.ports.catalog.applications()))
    caller = (await world.application("other")).__class__("application", kept.application, frozenset({"admin"}))
    request = NewAuthentication(user=JONAS.username, context=ContextIn(ip="127.0.0.1"), first_factor="pwd")
    attempt = await authenticate(world.ports, caller, request)
    assert attempt.decision == "enroll"
    assert attempt.grace_ends_at is not None
    assert attempt.grace_ends_at < attempt.expires_at


async def test_an_answer_for_another_browser_signs_nobody_in(demo: httpx.AsyncClient) -> None:
    """Whoever is sent to the return address with somebody's answer is not signed in by it."""
    await demo.get("/demo")
    back = await demo.get("/demo/bank/return?authentication=atn_x&code=y&state=z", follow_redirects=True)
    assert 'data-signed-in="no"' in back.text
