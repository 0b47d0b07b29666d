"""Phones in prompt and portal, in a browser without scripts; the phone speaks the protocol over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from nightlatch.app.portal.link import new_portal_link
from nightlatch.domain.time import SECOND
from tests.support.browsing import Pages, Visitor, open_pages
from tests.support.codes import shows
from tests.support.phones import PushPhone
from tests.support.ports import SITE, World

SOON = 0.1
"""Seconds within which a page hears of an answer, at its best of a few: machines have other work."""


@dataclass
class Scene:
    """Maya at a browser, with a phone in her hand."""

    pages: Pages
    browser: Visitor
    phone: PushPhone
    codes: list[str] = field(default_factory=list)

    @property
    def number(self) -> str:
        """The number on the page."""
        found = re.search(r'class="number"[^>]*>([^<]+)<', self.browser.page.text)
        assert found is not None, self.browser.text
        return re.sub(r"\D", "", found[1].replace("&#8239;", ""))

    async def to_prompt(self, user: str = "maya") -> Visitor:
        """Sign in at the bank and follow it to the prompt."""
        attempt = await self.pages.bank.send(user)
        assert attempt.prompt_url is not None
        return await self.browser.get(attempt.prompt_url)

    async def scan(self, name: str = "Pixel 8") -> tuple[dict[str, Any], str]:
        """The phone takes the code of the page's picture: what it is asked, and the number on the page."""
        (uri,) = {link for link in self.browser.links if "/authenticator#" in link}
        number, http = self.number, self.browser.http
        paired = await http.post("/v1/push/pairings", json=self.phone.pairing(uri.partition("#")[2], name))
        assert paired.status_code == 201, paired.text
        return self.phone.paired(paired.json()), number

    async def set_up(self) -> None:
        """From the bank to a phone that approves, and back."""
        await self.to_prompt()
        await self.begin()
        challenge, number = await self.scan()
        await self.answer(challenge, "approve", number)
        await self.browser.submit("/setup/phone")
        self.codes = self.browser.codes
        await self.browser.submit("/saved", saved="yes")
        await self.browser.submit("/continue")

    async def ask(self) -> None:
        """Have the phone asked, a moment later than before."""
        self.pages.world.clock.advance(SECOND)
        await self.browser.submit("/push")

    async def begin(self) -> None:
        """Choose the phone rather than an app."""
        await self.browser.submit("/setup")
        await self.browser.submit("/setup", kind="phone", anew="yes")

    async def answer(self, challenge: dict[str, Any], decision: str, number: str | None = None) -> str:
        """What the server says to the phone's answer."""
        answered = await self.phone.answer(self.browser.http, challenge, decision, number)
        assert answered.status_code == 200, answered.text
        return str(answered.json()["status"])

    async def waiting(self) -> list[dict[str, Any]]:
        """What waits for the phone."""
        return await self.phone.waiting(self.browser.http)


@pytest.fixture
async def scene(world: World) -> AsyncIterator[Scene]:
    """Pages, a bank, Maya, and a phone that knows nothing yet."""
    pages = await open_pages(world)
    await world.person(pages.bank.caller)
    async with pages.browser() as browser:
        yield Scene(pages, browser, PushPhone(SITE.public_url, world.clock))


@pytest.mark.requirement("X3", "X4")
async def test_the_authenticator_is_the_same_for_everybody_and_holds_no_secret(scene: Scene) -> None:
    """Page, manifest, worker and icons; a strict policy; a key to subscribe with, which is public."""
    http = scene.browser.http
    page = await http.get("/authenticator")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert "set-cookie" not in page.headers
    assert page.text == (await http.get("/authenticator?challenge=x")).text
    key = re.search(r'data-push-key="([^"]+)"', page.text)
    assert key is not None
    assert base64.urlsafe_b64decode(key[1] + "=")[:1] == b"\x04"
    manifest = (await http.get("/authenticator/manifest.webmanifest")).json()
    assert manifest["start_url"] == manifest["scope"] == manifest["id"] == "/authenticator"
    for icon in manifest["icons"]:
        shown = await http.get(icon["src"])
        assert (shown.status_code, shown.headers["content-type"]) == (200, icon["type"])
    worker = await http.get("/authenticator/worker.js")
    assert worker.headers["service-worker-allowed"] == "/authenticator"
    assert "default-src 'self'" in worker.headers["content-security-policy"]
    told = json.loads(worker.text.partition("const TOLD = ")[2].partition(";\n")[0])
    for address in (*told["files"], told["icon"], told["badge"]):
        assert (await http.get(address)).status_code == 200, address


@pytest.mark.requirement("B2", "P1", "P3")
async def test_a_phone_is_set_up_in_the_prompt_and_signs_its_owner_in(scene: Scene) -> None:
    """The number beside the picture makes it count; afterwards it approves sign-ins."""
    browser = scene.browser
    await scene.to_prompt()
    await scene.begin()
    assert "Set up your phone." in browser.text
    await browser.submit("/setup/phone")
    assert "Set up your phone." in browser.text, "nothing is turned on before the phone has answered"
    challenge, number = await scene.scan()
    await browser.get(str(browser.page.url))
    assert "Enter this number on your phone." in browser.text
    assert scene.number == number
    assert await scene.answer(challenge, "approve", number) == "approved"
    await browser.submit("/setup/phone")
    assert len(browser.codes) == 10
    await browser.submit("/saved", saved="yes")
    assert "Next time, Meridian Bank will ask your phone." in browser.text
    await browser.submit("/continue")
    assert (await scene.pages.bank.result(browser.left_with)).status == "approved"
    await scene.to_prompt()
    assert "Approve on Pixel 8." in browser.text
    assert not await scene.waiting(), "looking asks no phone"
    await browser.submit("/push")
    (asked,) = await scene.waiting()
    assert not shows(json.dumps(asked), scene.number)
    assert await scene.answer(asked, "approve", scene.number) == "approved"
    await browser.get(str(browser.page.url))
    assert "You can go on." in browser.text
    await browser.submit("/continue")
    assert (await scene.pages.bank.result(browser.left_with)).status == "approved"


@pytest.mark.requirement("B2")
async def test_a_wrong_number_sets_nothing_up_and_one_can_begin_anew(scene: Scene) -> None:
    """Or choose the app after all."""
    await scene.to_prompt()
    await scene.begin()
    challenge, number = await scene.scan()
    wrong = f"{(int(number) + 1) % 1_000_000:06}"
    assert await scene.answer(challenge, "approve", wrong) == "wrong_number"
    await scene.browser.get(str(scene.browser.page.url))
    assert "Your phone was not set up." in scene.browser.text
    await scene.browser.submit("/setup", kind="phone", anew="yes")
    assert "Set up your phone." in scene.browser.text
    await scene.browser.submit("/setup", kind="", anew="yes")
    assert "Set up an authenticator app." in scene.browser.text


@pytest.mark.requirement("H6")
async def test_nobody_is_led_through_the_same_screens(scene: Scene) -> None:
    """A name without an account is shown a picture and a number as well."""
    await scene.to_prompt("nobody-of-this-name")
    strangers = scene.browser.text
    if "Set up" in strangers:
        await scene.begin()
        assert "Set up your phone." in scene.browser.text
        assert len(scene.number) == 6
        await scene.browser.submit("/setup/phone")
        assert "Set up your phone." in scene.browser.text


async def test_news_of_the_answer_comes_at_once_and_to_this_browser_alone(scene: Scene) -> None:
    """The page's request is answered when the phone has answered."""
    await scene.set_up()
    took: list[float] = []
    while len(took) < 3 or (min(took) >= SOON and len(took) < 12):
        await scene.to_prompt()
        await scene.browser.submit("/push")
        address = f"{str(scene.browser.page.url).partition('?')[0]}/news"
        async with scene.pages.browser() as other:
            assert (await other.http.get(address)).status_code == 404
        news = asyncio.create_task(scene.browser.http.get(address))
        await asyncio.sleep(0.05)
        assert not news.done()
        (asked,) = await scene.waiting()
        assert await scene.answer(asked, "approve", scene.number) == "approved"
        begun = time.perf_counter()
        assert (await news).json() == {"state": "approved"}
        took.append(time.perf_counter() - begun)
    assert min(took) < SOON, took


@pytest.mark.requirement("P5")
async def test_what_was_answered_otherwise_is_told_where_somebody_signs_in(scene: Scene) -> None:
    """Wrong number, expired, no, asked too often, blocked: each with what to do now."""
    await scene.set_up()
    await scene.to_prompt()
    await scene.ask()
    (asked,) = await scene.waiting()
    wrong = f"{(int(scene.number) + 1) % 1_000_000:06}"
    assert await scene.answer(asked, "approve", wrong) == "wrong_number"
    await scene.browser.get(str(scene.browser.page.url))
    assert "That wasn't the number. Another number was entered on Pixel 8." in scene.browser.text
    await scene.ask()
    scene.pages.world.clock.advance(121 * SECOND)
    await scene.browser.get(str(scene.browser.page.url))
    assert "Time ran out." in scene.browser.text
    await scene.ask()
    (asked,) = await scene.waiting()
    assert await scene.answer(asked, "deny") == "denied"
    await scene.browser.get(str(scene.browser.page.url))
    assert "You said no on your phone." in scene.browser.text
    await scene.to_prompt()
    await scene.ask()
    assert "Pixel 8 was asked enough for now." in scene.browser.text
    assert not await scene.waiting()
    scene.pages.world.clock.advance(601 * SECOND)
    await scene.to_prompt()
    await scene.ask()
    (asked,) = await scene.waiting()
    assert await scene.answer(asked, "not_me") in ("not_me", "blocked")
    await scene.browser.get(str(scene.browser.page.url))
    assert "This was blocked on your phone." in scene.browser.text
    await scene.to_prompt()
    await scene.ask()
    assert "Pixel 8 is not asked for now." in scene.browser.text


@pytest.mark.requirement("B1", "E4")
async def test_the_portal_takes_a_phones_word_and_removes_phones(scene: Scene) -> None:
    """Proof under a new session; another phone; the first one gone, which then hears so."""
    await scene.set_up()
    await open_portal(scene)
    assert "Approve on Pixel 8" in scene.browser.text
    assert "It isn't told of sign-ins." in scene.browser.text
    await scene.browser.submit("/portal/phone")
    assert "Prove it's you." in scene.browser.text, "another phone needs the word of the first"
    await scene.browser.submit("/portal/prove/push")
    await scene.browser.submit("/portal/prove/push/done")
    assert "Check Pixel 8." in scene.browser.text, "it has not approved yet"
    (asked,) = await scene.waiting()
    assert (asked["action"], await scene.answer(asked, "approve", scene.number)) == ("portal", "approved")
    await scene.browser.get(str(scene.browser.page.url))
    await scene.browser.submit("/portal/prove/push/done")
    assert "You can make changes now." in scene.browser.text
    first, scene.phone = scene.phone, PushPhone(SITE.public_url, scene.pages.world.clock)
    await scene.browser.submit("/portal/phone")
    challenge, number = await scene.scan("Tablet")
    await scene.answer(challenge, "approve", number)
    await scene.browser.submit("/portal/phone/on")
    assert "Approve on Tablet" in scene.browser.text
    await scene.browser.get(f"/portal/ways/{first.factor}")
    await scene.browser.submit("/remove")
    assert "It's removed" in scene.browser.text
    assert "Approve on Pixel 8" not in scene.browser.text
    gone = await first.call(scene.browser.http, "GET", "/v1/push/factor")
    assert (gone.status_code, gone.headers["www-authenticate"]) == (401, 'Push realm="nightlatch"')


async def open_portal(scene: Scene) -> None:
    """By the bank's link."""
    link = await new_portal_link(scene.pages.world.ports, scene.pages.bank.caller, "maya")
    await scene.browser.get(link.url)
    await scene.browser.submit("/portal/open")
