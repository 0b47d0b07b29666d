"""Whoever scans the picture of a pairing hears nothing of whether there is an account: until the number, and after (H6)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from nightlatch.adapters.sql.ephemeral import SqlEphemeral
from nightlatch.app.policy.apply import apply_policy
from nightlatch.domain.time import MINUTE, SECOND
from tests.support.browsing import Pages, Visitor, open_pages
from tests.support.phones import PushPhone
from tests.support.ports import OPERATOR, SITE, World
from tests.support.work import Work

NO_GRACE = "mfa_enforcement: {all_users: true, grace_period: 0s}\n"
SOMEBODY, NOBODY = "maya", "nobody1"
_CHANGING = re.compile(r"(usr|atn|fac|chl|req)_[0-9a-f]{32}|20\d\d-[0-9T:.-]+Z|[A-Za-z0-9_-]{43}|maya|nobody1")


def alike(answer: httpx.Response) -> tuple[int, str]:
    """An answer without what is of its own."""
    return answer.status_code, _CHANGING.sub("*", answer.text)


@dataclass
class Scanned:
    """A stranger's browser and phone at the pairing of one name."""

    world: World
    work: Work
    browser: Visitor
    who: str
    phone: PushPhone
    code: str = ""
    number: str = ""
    heard: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    async def begin(self, pages: Pages) -> None:
        attempt = await pages.bank.send(self.who)
        assert attempt.prompt_url is not None
        await self.browser.get(attempt.prompt_url)
        await self.browser.submit("/setup")
        await self.again()

    async def again(self) -> None:
        """Begin anew."""
        await self.browser.submit("/setup", kind="phone", anew="yes")
        (uri,) = {link for link in self.browser.links if "/authenticator#" in link}
        self.code = uri.partition("#")[2]
        found = re.search(r'class="number"[^>]*>([^<]+)<', self.browser.page.text)
        assert found is not None
        self.number = re.sub(r"\D", "", found[1].replace("&#8239;", ""))
        self.heard = {}

    async def hear(self, name: str, answer: httpx.Response) -> httpx.Response:
        """Keep an answer and the work that it took."""
        self.heard[name] = (alike(answer), await self.work.taken())
        return answer

    async def pair(self, **fields: Any) -> httpx.Response:
        await self.work.taken()
        body = self.phone.pairing(self.code, **fields)
        return await self.hear("pair", await self.browser.http.post("/v1/push/pairings", json=body))

    async def call(self, method: str, path: str, json: Any = None) -> httpx.Response:
        await self.work.taken()
        return await self.hear(f"{method} {path}", await self.phone.call(self.browser.http, method, path, json))

    async def answer(self, challenge: dict[str, Any], decision: str, number: str | None = None) -> httpx.Response:
        await self.work.taken()
        return await self.hear(decision, await self.phone.answer(self.browser.http, challenge, decision, number))

    async def look(self) -> str:
        """What the page says of the pairing."""
        base = "/prompt/" + str(self.browser.page.url).rpartition("/prompt/")[2].partition("/")[0].partition("?")[0]
        news = await self.browser.http.get(f"{base}/setup/news?known=other")
        await self.browser.get(base)
        said = str(news.json()["state"])
        shown = self.browser.text.replace(" ", "").replace(self.code, "")
        self.heard[f"page {len(self.heard)}"] = (said, re.sub(r"[0-9\s]|maya|nobody1", "", shown))
        return said


@pytest.fixture
async def both(watched: tuple[World, Work]) -> AsyncIterator[tuple[Scanned, Scanned]]:
    """The same at somebody and at nobody, on each kind of database."""
    world, work = watched
    kept = SqlEphemeral(world.database, world.clock)
    world.ports = replace(world.ports, ephemeral=kept)
    await apply_policy(world.ports, OPERATOR, NO_GRACE, 0)
    pages = await open_pages(world)
    await world.person(pages.bank.caller, SOMEBODY)
    async with pages.browser() as mine, pages.browser() as theirs:
        made = [
            Scanned(world, work, browser, who, PushPhone(SITE.public_url, world.clock))
            for browser, who in ((mine, SOMEBODY), (theirs, NOBODY))
        ]
        for one in made:
            await one.begin(pages)
        yield made[0], made[1]
    await kept.close()


@pytest.mark.requirement("H6", "B2")
@pytest.mark.parametrize("decision", ["wrong", "deny", "not_me"])
async def test_a_pairing_is_answered_alike(both: tuple[Scanned, Scanned], decision: str) -> None:
    """In words, status and work: taken, looked at, waited for, rung otherwise, answered, and over."""
    for one in both:
        assert await one.look() == "waiting"
        paired = await one.pair()
        assert paired.status_code == 201, paired.text
        assert paired.json()["user"]["name"] == one.who
        challenge = one.phone.paired(paired.json())
        assert await one.look() == "scanned"
        assert (await one.call("GET", "/v1/push/factor")).json()["status"] == "pending"
        assert [c["id"] for c in (await one.call("GET", "/v1/push/challenges")).json()["challenges"]] == [
            challenge["id"]
        ]
        rung = {"subscription": {"ntfy": "https://ntfy.example/up"}}
        assert (await one.call("PUT", "/v1/push/subscription", rung)).status_code == 204
        assert (await one.call("GET", "/v1/push/factor")).json()["transports"] == ["ntfy"]
        forged = challenge | {"nonce": "x" * 43}
        assert (await one.answer(forged, "approve", one.number)).status_code == 422
        one.heard["forged"] = one.heard.pop("approve")
        wrong = f"{(int(one.number) + 1) % 10**6:06d}"
        said = await (
            one.answer(challenge, "approve", wrong) if decision == "wrong" else one.answer(challenge, decision)
        )
        assert said.json()["status"] == {"wrong": "wrong_number", "deny": "denied", "not_me": "not_me"}[decision]
        assert await one.look() == "failed"
        assert (await one.call("GET", "/v1/push/challenges")).json()["challenges"] == []
        twice = await one.answer(challenge, "approve", one.number)
        assert twice.json()["status"] == "expired"
    somebody, nobody = both
    # Nobody's challenge has no row of its own, which SQLite writes, and looks for, in statements of their own.
    fewer = 2 if both[0].world.database.dialect == "sqlite" else 0
    for name, (told, work) in somebody.heard.items():
        assert nobody.heard[name][0] == told, name
        if not name.startswith("page"):
            assert 0 <= work[0] - nobody.heard[name][1][0] <= fewer, (name, work, nobody.heard[name][1])
            assert work[1] == nobody.heard[name][1][1] == 0


@pytest.mark.requirement("H6", "B2")
async def test_nobodys_phone_never_counts(both: tuple[Scanned, Scanned]) -> None:
    """The right number is wrong for nobody; and a code works once, for ten minutes, until something else is begun."""
    somebody, nobody = both
    for one in both:
        challenge = one.phone.paired((await one.pair()).json())
        assert (await one.pair()).status_code == 422
        one.world.clock.advance(SECOND)
        said = await one.answer(challenge, "approve", one.number)
        assert said.json()["status"] == ("approved" if one is somebody else "wrong_number")
    await somebody.browser.submit("/setup/phone")
    assert "Save your backup codes" in somebody.browser.text
    await nobody.look()
    assert "backup codes" not in nobody.browser.text
    await nobody.again()
    gone = await nobody.call("GET", "/v1/push/factor")
    assert (gone.status_code, gone.json()["code"]) == (401, "phone_not_paired")
    nobody.world.clock.advance(10 * MINUTE)
    assert (await nobody.pair()).status_code == 422


@pytest.mark.requirement("H6")
async def test_a_stranger_reads_no_name(both: tuple[Scanned, Scanned]) -> None:
    """Not before the phone counts: then it shows whose account it is."""
    somebody, _ = both
    challenge = somebody.phone.paired((await somebody.pair()).json())
    assert (await somebody.call("GET", "/v1/push/factor")).json()["user"]["name"] == SOMEBODY
    await somebody.answer(challenge, "approve", somebody.number)
    await somebody.browser.get(str(somebody.browser.page.url))
    await somebody.browser.submit("/setup/phone")
    assert (await somebody.call("GET", "/v1/push/factor")).json()["user"]["name"] == "Maya"
