"""Ends, to the microsecond; the clock set back; ids of other people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from nightlatch.app.portal.link import new_portal_link
from nightlatch.domain.errors import Invalid
from nightlatch.domain.time import DAY, HOUR, MINUTE, SECOND
from nightlatch.ports.store import UserKey
from tests.support.api import CONTEXT, Api, ApiPhone, Application, open_api
from tests.support.browsing import Pages, open_pages
from tests.support.ports import World

PERIOD = 30 * SECOND


@dataclass
class Site:
    """The API and the pages over one world; Maya has a phone."""

    api: Api
    bank: Application
    pages: Pages
    maya: str
    phone: ApiPhone
    phones: dict[str, ApiPhone] = field(default_factory=dict)
    """Of factors that are pending, by id."""

    @property
    def world(self) -> World:
        """The world below."""
        return self.api.world

    async def begun(self, who: str = "maya", **fields: Any) -> str:
        """A sign-in that waits for an answer."""
        answer = await self.bank("POST", "/v1/authentications", {"user": who, "context": CONTEXT} | fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def answer(self, id_: str, code: str) -> dict[str, Any]:
        """What a code for a sign-in is told."""
        answered = await self.bank("POST", f"/v1/authentications/{id_}/verifications", {"code": code})
        said: dict[str, Any] = answered.json()
        return said

    async def verify(self, code: str, who: str = "maya", **context: str) -> dict[str, Any]:
        """What a code in one call is told."""
        body = {"user": who, "code": code, "context": CONTEXT | context}
        said: dict[str, Any] = (await self.bank("POST", "/v1/verify", body)).json()
        return said

    async def pending(self, who: str) -> tuple[str, str]:
        """The path of a factor that was begun, and its code of now."""
        user = await self.api.person(self.bank, who)
        made = (await self.bank("POST", f"/v1/users/{user}/factors", {"kind": "totp"})).json()
        phone = ApiPhone(self.world, made["id"], made["enrollment"]["uri"])
        self.phones[made["id"]] = phone
        return f"/v1/users/{user}/factors/{made['id']}", made["id"]


@pytest.fixture
async def site(world: World) -> AsyncIterator[Site]:
    async with open_api(world) as api:
        bank = await api.application()
        maya = await api.person(bank)
        phone = await api.phone(bank, maya)
        yield Site(api, bank, await open_pages(world), maya, phone)


Attempt = Callable[[], Awaitable[bool]]


async def ends_at(site: Site, life: int, make: Callable[[], Awaitable[Attempt]], *, inclusive: bool = False) -> None:
    """Of two things that were made at one instant, one is good for its whole life; the other no microsecond longer.

    Neither is good once the clock was set back to long before it was made.
    """
    made_at = site.world.clock.at
    before, after, back = [await make() for _ in range(3)]
    site.world.clock.at = made_at - DAY
    assert not await back()
    site.world.clock.at = made_at + life - (0 if inclusive else 1)
    assert await before()
    site.world.clock.at = made_at + life + (1 if inclusive else 0)
    assert not await after()


@pytest.mark.requirement("T10", "G3")
async def test_a_sign_in_lives_ten_minutes(site: Site) -> None:
    async def make() -> Attempt:
        id_ = await site.begun()

        async def attempt() -> bool:
            said = await site.answer(id_, site.phone.code())
            read = (await site.bank("GET", f"/v1/authentications/{id_}")).json()
            assert (said["status"] == "approved") == (read["status"] == "approved")
            assert said["status"] == "approved" or (said["reason"], read["status"]) == ("expired", "expired")
            return bool(said["status"] == "approved")

        return attempt

    await ends_at(site, 10 * MINUTE, make)


@pytest.mark.requirement("B2", "T10")
async def test_a_pending_factor_lives_ten_minutes(site: Site) -> None:
    async def make() -> Attempt:
        path, id_ = await site.pending(f"person-{len(site.phones)}")

        async def attempt() -> bool:
            answer = await site.bank("POST", f"{path}/activation", {"code": site.phones[id_].code()})
            assert answer.is_success or answer.json()["code"] == "enrollment_expired", answer.text
            return answer.is_success

        return attempt

    await ends_at(site, 10 * MINUTE, make)


@pytest.mark.requirement("B1", "E4", "T10")
async def test_an_approval_lives_five_minutes(site: Site) -> None:
    """Counted from when it was given, not from when it was asked for."""
    codes = iter(site.phone.backup_codes)

    async def make() -> Attempt:
        id_ = await site.begun(action="manage_factors")
        assert (await site.answer(id_, next(codes)))["status"] == "approved"

        async def attempt() -> bool:
            new = {"kind": "totp", "approval": id_}
            answer = await site.bank("POST", f"/v1/users/{site.maya}/factors", new)
            assert answer.is_success or answer.json()["code"] == "step_up_required", answer.text
            return answer.is_success

        return attempt

    await ends_at(site, 5 * MINUTE, make, inclusive=True)


@pytest.mark.requirement("X7", "T10")
async def test_a_portal_link_lives_five_minutes(site: Site) -> None:
    async def make() -> Attempt:
        link = await new_portal_link(site.world.ports, site.pages.bank.caller, "maya")

        async def attempt() -> bool:
            async with site.pages.browser() as browser:
                await browser.get(link.url)
                await browser.submit("/portal/open")
                return bool(browser.page.status_code == 200)

        return attempt

    await ends_at(site, 5 * MINUTE, make)


@pytest.mark.requirement("X4", "X5", "T10")
async def test_the_address_of_a_prompt_lives_as_long_as_its_sign_in(site: Site) -> None:
    async def make() -> Attempt:
        asked = await site.pages.bank.send()
        assert asked.prompt_url is not None

        async def attempt() -> bool:
            async with site.pages.browser() as browser:
                await browser.get(asked.prompt_url or "")
                return bool(browser.page.status_code == 200)

        return attempt

    await ends_at(site, 10 * MINUTE, make)


@pytest.mark.requirement("X5", "T10")
async def test_a_result_code_lives_a_minute(site: Site) -> None:
    codes = iter(site.phone.backup_codes)

    async def make() -> Attempt:
        asked = await site.pages.bank.send()
        assert asked.prompt_url is not None
        async with site.pages.browser() as browser:
            await browser.get(asked.prompt_url)
            paper = next(link for link in browser.links + await other_ways(browser) if "way=" in link)
            await browser.get(paper)
            await browser.submit("/code", code=next(codes))
            left_with = browser.left_with

        async def attempt() -> bool:
            try:
                told = await site.pages.bank.result(left_with)
            except Invalid:
                return False
            return told.status == "approved" and told.assertion is not None

        return attempt

    await ends_at(site, 60 * SECOND, make)


async def other_ways(browser: Any) -> list[str]:
    """The links of the page with all ways; the last is paper."""
    base = str(browser.page.url.path)
    await browser.get(f"{base}/ways")
    return list(reversed(browser.links))


@pytest.mark.requirement("H5", "T10")
async def test_an_outlived_device_token_works_for_a_minute(site: Site) -> None:
    """Then it is theft, and the device that it became is known no longer."""
    codes = iter(site.phone.backup_codes)

    async def make() -> Attempt:
        first = (await site.verify(next(codes)))["device_token"]
        newer = (await site.verify(next(codes), device_token=first))["device_token"]
        assert newer != first

        async def attempt() -> bool:
            body = {"user": "maya", "context": CONTEXT | {"device_token": first}}
            id_ = (await site.bank("POST", "/v1/authentications", body)).json()["id"]
            snapshot = await site.world.ports.store.load(UserKey(authentication=id_))
            assert snapshot.authentication is not None
            return snapshot.authentication.device_known

        return attempt

    await ends_at(site, 60 * SECOND, make, inclusive=True)
    assert len(await site.world.events("device:stolen_token")) == 1


@pytest.mark.requirement("T5", "T10")
async def test_a_code_is_good_from_a_period_before_its_own_to_a_period_after(site: Site) -> None:
    """Steps are counted from the epoch: [start − 30 s, start + 60 s)."""
    clock = site.world.clock
    for offset, right in ((-PERIOD - 1, False), (-PERIOD, True), (2 * PERIOD - 1, True), (2 * PERIOD, False)):
        start = clock.at = (clock.at // PERIOD + 10) * PERIOD
        code = site.phone.code()
        clock.at = start + offset
        said = await site.verify(code)
        assert (said["status"] == "approved") is right, (offset, said)
        clock.at = start + HOUR
        if not right:  # clears the failure, so that none of these waits
            assert (await site.verify(site.phone.code()))["status"] == "approved"


@pytest.mark.requirement("T4", "T8", "L3", "T10")
async def test_what_was_used_stays_used_when_the_clock_is_set_back(site: Site) -> None:
    """By a second, an hour, a year: no code of an earlier time is good for anybody. Afterwards all goes on."""
    clock = site.world.clock
    for back in (SECOND, HOUR, 365 * DAY):
        who = f"person-{back}"
        phone = await site.api.phone(site.bank, await site.api.person(site.bank, who))
        used, paper, now = phone.code(), phone.backup_codes[0], clock.at
        for code in (used, paper):
            assert (await site.verify(code, who))["status"] == "approved"
        clock.at = now - back
        for code in (used, phone.code(-1), phone.code(), paper):
            said = await site.verify(code, who)
            assert (said["status"], said["reason"] in ("replayed", "wrong_code")) == ("rejected", True), (back, said)
        clock.at = now + PERIOD
        assert (await site.verify(phone.code(), who))["status"] == "approved"


@pytest.mark.requirement("H1", "H2", "T10")
async def test_waits_survive_a_clock_that_is_set_back_and_shut_nobody_out_for_a_year(site: Site) -> None:
    """A wait that would seem to last longer than any holds no more; what it was for is still counted."""
    clock = site.world.clock
    for _ in range(5):
        await site.verify(site.phone.wrong())
    now = clock.at
    clock.at = now - MINUTE
    assert (await site.verify(site.phone.wrong()))["retry_after"] == 90
    clock.at = now - 365 * DAY
    assert (await site.verify(site.phone.wrong()))["reason"] == "wrong_code"
    assert (await site.verify(site.phone.wrong()))["retry_after"] == 60


@pytest.mark.requirement("H5", "B1", "E4")
async def test_ids_of_other_people_open_nothing(site: Site) -> None:
    """Factors, approvals, devices, results: each with its own person or sign-in, or not at all."""
    noor = await site.api.person(site.bank, "noor")
    phone = await site.api.phone(site.bank, noor)
    path = f"/v1/users/{site.maya}/factors/{phone.factor}"
    calls: list[tuple[str, str, Any, int]] = [
        ("GET", path, None, 404),
        ("PATCH", path, {"label": "mine"}, 404),
        ("DELETE", path, None, 404),
        ("POST", f"{path}/activation", {"code": phone.code()}, 404),
        ("POST", f"{path}/resynchronization", {"code": "123456", "next_code": "654321"}, 404),
        ("DELETE", f"/v1/users/{site.maya}/devices/dev_{'0' * 32}", None, 404),
    ]
    for method, address, body, status in calls:
        assert (await site.bank(method, address, body)).status_code == status, address
    id_ = await site.begun()
    body = {"code": phone.code(), "factor": phone.factor}
    said = (await site.bank("POST", f"/v1/authentications/{id_}/verifications", body)).json()
    assert (said["status"], said["reason"]) == ("rejected", "no_such_factor")
    challenge = await site.bank("POST", f"/v1/authentications/{id_}/challenges", {"factor": phone.factor})
    assert challenge.status_code == 422
    approval = await site.begun("noor", action="manage_factors")
    assert (await site.answer(approval, phone.code()))["status"] == "approved"
    for reference in (approval, id_, "atn_" + "0" * 32, "fac_" + "0" * 32, "x"):
        refused: httpx.Response = await site.bank(
            "POST", f"/v1/users/{site.maya}/factors", {"kind": "totp", "approval": reference}
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required"), reference
    assert (await site.verify(phone.code()))["status"] == "rejected"
    unused = {"kind": "totp", "approval": approval}
    assert (await site.bank("POST", f"/v1/users/{noor}/factors", unused)).status_code == 201
