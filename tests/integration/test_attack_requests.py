"""Requests that are well formed and meant badly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from nightlatch.adapters.sql import tables as t
from nightlatch.app.policy.apply import apply_policy
from tests.support.api import CONTEXT, Api, Application, open_api
from tests.support.browsing import Pages, open_pages
from tests.support.ports import OPERATOR, World

JSON = {"content-type": "application/json"}
NO_GRACE = "mfa_enforcement: {all_users: true}\n"


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    """The API in this process."""
    async with open_api(world) as opened:
        yield opened


async def started(application: Application, **fields: Any) -> dict[str, Any]:
    """A sign-in of Maya's, or whatever became of it."""
    body = {"user": "maya", "context": CONTEXT} | fields
    answered = await application("POST", "/v1/authentications", body)
    return {"http": answered.status_code} | answered.json()


@pytest.mark.parametrize("details", [{"amount": 2**60}, {"amount": 10**30}, {"a": [{"b": -(2**53)}]}])
async def test_what_cannot_be_bound_is_refused_before_anything_is_used_up(api: Api, details: dict[str, Any]) -> None:
    """An approval of these could not be signed: the code would be spent, and nobody told that it was right."""
    bank = await api.application()
    user = await api.person(bank)
    await api.phone(bank, user)
    refused = await started(bank, action="transfer", action_details=details)
    assert refused["http"] == 422
    assert refused["errors"][0]["pointer"] == "/action_details"


@pytest.mark.requirement("G2")
@pytest.mark.parametrize("ip", ["::ffff:192.0.2.7%" + "x" * 60_000, "::ffff:192.0.2.7%\n\x1b[2J", "fe80::1%eth0"])
async def test_an_address_holds_nothing_but_an_address(api: Api, ip: str) -> None:
    """A zone may be any text: it would be kept, told in the audit log, and remembered by a cache."""
    bank = await api.application()
    await api.person(bank)
    assert (await started(bank, context={"ip": ip}))["http"] == 422


async def test_an_address_is_kept_in_one_spelling(api: Api) -> None:
    """Whatever a proxy makes of it."""
    bank = await api.application()
    user = await api.person(bank)
    await started(bank, context={"ip": "::ffff:192.0.2.7"})
    await started(bank, context={"ip": "2001:DB8:0:0::7"})
    kept = await api.world.ports.directory.sign_ins(user, limit=5)
    assert {one.ip for one in kept} == {"192.0.2.7", "2001:db8::7"}


@pytest.mark.requirement("H6")
async def test_a_deleted_user_is_answered_as_nobody_is(api: Api) -> None:
    """Not by a queue that never moves."""
    bank = await api.application()
    await api.person(bank, "gone")
    assert (await bank("DELETE", "/v1/users/gone")).status_code == 204
    gone, nobody = await started(bank, user="gone"), await started(bank, user="nobody")
    own = {"id", "user", "expires_at"}
    assert {k: v for k, v in gone.items() if k not in own} == {k: v for k, v in nobody.items() if k not in own}


@pytest.mark.requirement("H6")
async def test_nobody_has_one_id_however_the_name_is_written(api: Api) -> None:
    """As somebody has: a name that answers with two ids is nobody's."""
    bank = await api.application()
    await api.person(bank)
    assert len({(await started(bank, user=name))["user"] for name in ("maya", "MAYA", "\uff2daya")}) == 1
    assert len({(await started(bank, user=name))["user"] for name in ("ghost", "GHOST", "\uff27host")}) == 1
    assert len({(await started(bank, user=name))["user"] for name in ("no body", "no\tbody")}) == 2


async def test_a_long_name_is_not_kept(api: Api) -> None:
    """64 KiB a request, for a day, would fill a disk."""
    bank = await api.application(return_urls=["https://bank.example/back"])
    for name in ("usr_" + "a" * 60_000, "a" * 60_000):
        made = await started(bank, user=name, return_url="https://bank.example/back", state="s")
        assert made["http"] == 201
        assert len(made["user"]) < 40

    def longest(connection: Any) -> int:
        rows = [*connection.execute(t.AUTHENTICATIONS.table.select()), *connection.execute(t.TICKETS.table.select())]
        return max(len(str(row)) for row in rows)

    assert await api.world.database.read(longest) < 4_000


async def test_no_more_is_told_to_be_wrong_than_anybody_reads(api: Api) -> None:
    """64 KiB of wrong fields cost half a second of everybody's time, and megabytes of answer."""
    bank = await api.application()
    wrong = b'{"username":"x","emails":[' + b",".join([b"1"] * 30_000) + b"]}"
    unknown = b"{" + b",".join(b'"usernam%d":1' % n for n in range(4_000)) + b"}"
    nul = b'{"username":"x","emails":[' + b",".join([b'"\\u0000"'] * 7_000) + b"]}"
    for body in (wrong, unknown, nul):
        refused = await bank("POST", "/v1/users", content=body, headers=JSON)
        assert refused.status_code == 422
        assert len(refused.json()["errors"]) == 100


@pytest.fixture
async def pages(world: World) -> Pages:
    """Pages and a bank."""
    return await open_pages(world)


@pytest.mark.requirement("X2")
async def test_a_forged_form_of_any_alphabet_is_stale(pages: Pages) -> None:
    """And no fault of ours."""
    async with pages.browser() as browser:
        browser.http.cookies.set("__Host-nightlatch-portal", "known")
        for token in ("é", "\x00", "", "Ω" * 43):
            forged = await browser.http.post("/portal/leave", data={"csrf": token})
            assert forged.status_code == 403, forged.text


@pytest.mark.requirement("X5")
@pytest.mark.parametrize("part", ["x%0d%0aset-cookie:%20a=b%0d%0ax:%20", "%C4%80", "x%20y%09z"])
async def test_nothing_of_a_request_ends_a_line_of_the_answer(pages: Pages, part: str) -> None:
    """Where to go is an address, whatever the browser sent: servers differ in what they let through."""
    from nightlatch.web.pages.shared.pages import csrf_token

    name = "__Host-nightlatch-prompt-abcdefghijklmnop"
    async with pages.browser() as browser:
        browser.http.cookies.set(name, "mine")
        sent = {"csrf": csrf_token("mine"), "saved": "no"}
        answered = await browser.http.post(f"/prompt/{part}abcdefghijklmnop/saved", data=sent)
        location = answered.headers["location"]
        assert location.isascii()
        assert location.isprintable()
        assert " " not in location


@pytest.mark.requirement("H6")
async def test_nobody_sees_their_name_as_somebody_would(pages: Pages) -> None:
    """In the address that an app scans: names have one spelling."""
    await apply_policy(pages.world.ports, OPERATOR, NO_GRACE, None)
    await pages.world.person(pages.bank.caller)
    for typed, shown in (("MAYA", "maya"), ("GHOST", "ghost")):
        attempt = await pages.bank.send(typed)
        assert attempt.prompt_url is not None
        async with pages.browser() as browser:
            await browser.get(attempt.prompt_url)
            await browser.submit("/setup")
            assert browser.scanned(pages.world).scanned.account == shown
    for impossible in ("a" * 300, " ghost", "gh\nost", "x/y"):
        attempt = await pages.bank.send(impossible)
        assert attempt.prompt_url is not None
        async with pages.browser() as browser:
            await browser.get(attempt.prompt_url)
            await browser.submit("/setup")
            assert browser.page.status_code == 200, impossible
