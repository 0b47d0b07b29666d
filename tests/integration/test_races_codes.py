"""Fifty posts at once of what works once, over HTTP: one succeeds, whatever the database and however many workers."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select

from nightlatch.adapters.sql.tables import AUTHENTICATIONS, EVENTS, FACTOR_STATE, FACTORS, USERS
from nightlatch.domain.factors import hotp
from nightlatch.domain.factors.otpauth import parse
from tests.support.server import (
    CONTEXT,
    CROWD,
    Browser,
    Client,
    Person,
    Site,
    connected_workers,
    crowd,
    result_code,
    told,
)

APPROVED = "approved"
LOST = {"replayed", "throttled", "wrong_code"}


def one_won(answers: list[httpx.Response], *losing: str) -> None:
    """Exactly one was approved; the others were told one of these."""
    counts = told(answers)
    assert counts.pop(APPROVED, 0) == 1, counts
    assert set(counts) <= set(losing), counts


async def approvals_in_log(site: Site, person: Person) -> int:
    """How many approvals of this person's own factor the database has events of."""
    events = EVENTS.table.c

    def count(connection: Connection) -> int:
        wanted = select(func.count()).where(events.user_id == person.id, events.type == "authentication:approved")
        return int(connection.execute(wanted).scalar_one())

    async with site.rows() as rows:
        return await rows.read(count)


async def opened(client: Client, person: Person, count: int) -> list[str]:
    """So many sign-ins of one person, begun a few at a time."""
    turn = asyncio.Semaphore(3)

    async def one() -> str:
        async with turn:
            return str((await client.authentication(person))["id"])

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def test_the_crowd_meets_several_workers(site: Site, client: Client) -> None:
    """More than one of them, or the tests below would prove less than they say. Who is awake takes what comes, so
    that on a busy machine some may wait for long.
    """
    assert site.server is not None
    met: set[int] = set()
    for _ in range(20):
        await crowd(lambda _: client("GET", "/v1/users"))
        met |= connected_workers(site.server)
        if len(met) >= min(2, site.workers):
            return
        await client.http.aclose()
        client.http = httpx.AsyncClient(base_url=site.url, timeout=60)
    raise AssertionError("one worker took everything")


@pytest.mark.requirement("T4", "H3")
async def test_a_totp_code_works_once_in_one_call(site: Site, client: Client) -> None:
    person = await client.with_totp()
    code = person.code(1)
    one_won(await crowd(lambda _: client.verify(person, code)), *LOST - {"wrong_code"})
    assert await approvals_in_log(site, person) == 1


@pytest.mark.requirement("T4", "H3")
async def test_a_totp_code_works_once_in_one_sign_in(site: Site, client: Client) -> None:
    person = await client.with_totp()
    begun, code = await client.authentication(person), person.code(1)
    one_won(await crowd(lambda _: client.answer(begun["id"], code)), "already_approved", "throttled")
    assert await approvals_in_log(site, person) == 1


@pytest.mark.requirement("T4", "H3")
async def test_a_totp_code_works_once_in_fifty_sign_ins(site: Site, client: Client) -> None:
    person = await client.with_totp()
    begun, code = await opened(client, person, CROWD), person.code(1)
    one_won(await crowd(lambda number: client.answer(begun[number], code)), *LOST - {"wrong_code"})
    assert await approvals_in_log(site, person) == 1
    states = [(await client("GET", f"/v1/authentications/{id_}")).json()["status"] for id_ in begun]
    assert states.count(APPROVED) == 1


@pytest.mark.requirement("T4", "H3")
async def test_a_hotp_code_works_once(site: Site, client: Client) -> None:
    """In one call, and in sign-ins of their own. A used HOTP code is a wrong one: it cannot be told from a guess."""
    person = await client.with_hotp()
    code = person.press()
    one_won(await crowd(lambda _: client.verify(person, code)), *LOST)
    other = await client.with_hotp()
    begun, code = await opened(client, other, CROWD), other.press()
    one_won(await crowd(lambda number: client.answer(begun[number], code)), *LOST)
    assert await approvals_in_log(site, person) == await approvals_in_log(site, other) == 1


@pytest.mark.requirement("L3", "H3")
async def test_a_backup_code_works_once(site: Site, client: Client) -> None:
    person = await client.with_totp()
    used = person.backup_codes[0]
    one_won(await crowd(lambda _: client.verify(person, used)), *LOST - {"wrong_code"})
    # What was counted against the set meanwhile would have its next try wait.
    assert (await client.verify(person, person.code(1))).json()["status"] == APPROVED
    another = await client.with_totp()
    begun, code = await opened(client, another, CROWD), another.backup_codes[0]
    one_won(await crowd(lambda number: client.answer(begun[number], code)), *LOST - {"wrong_code"})
    assert await approvals_in_log(site, another) == 1


@pytest.mark.requirement("X5", "H3")
async def test_a_result_code_is_redeemed_once(site: Site, client: Client) -> None:
    person = await client.with_totp()
    async with Browser(site.url) as browser:
        id_, code = await result_code(browser, client, person, person.code(1))
    answers = await crowd(lambda _: client("POST", f"/v1/authentications/{id_}/result", {"code": code}))
    one_won(answers, "invalid_code", "throttled")
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert won["assertion"]
    assert won["device_token"]


@pytest.mark.requirement("T4", "X5", "H3")
async def test_a_code_posted_by_fifty_tabs_of_a_prompt_works_once(site: Site, client: Client) -> None:
    """And every tab that is led back brings a code of which one is good."""
    person = await client.with_totp()
    begun = await client.authentication(person, return_url="http://localhost:9/back", state="s")
    async with Browser(site.url) as browser:
        await browser.get(begun["prompt_url"])
        way, code = browser.hidden("way"), person.code(1)
        path = f"/prompt/{begun['id']}/code"
        answers = await crowd(lambda _: browser.post(path, way=way, code=code))
    assert {answer.status_code for answer in answers} <= {303, 429}
    codes = {
        answer.headers["location"].partition("code=")[2].partition("&")[0]
        for answer in answers
        if answer.headers.get("location", "").startswith("http://localhost:9/back")
    }
    assert await approvals_in_log(site, person) == 1
    redeemed = [await client("POST", f"/v1/authentications/{begun['id']}/result", {"code": one}) for one in codes]
    assert [answer.status_code for answer in redeemed].count(200) == 1


@pytest.mark.requirement("T4", "H3")
async def test_an_activation_code_works_once(site: Site, client: Client) -> None:
    """There is one set of backup codes, told to one caller."""
    person = await client.begun(await client.person())
    path, code = f"/v1/users/{person.id}/factors/{person.factor}/activation", person.code()
    answers = await crowd(lambda _: client("POST", path, {"code": code}))
    counts = told(answers)
    assert counts.pop("active") == 1
    assert set(counts) <= {"already_active", "throttled"}
    assert sum("backup_codes" in answer.text for answer in answers if answer.status_code == 200) == 1
    listed = (await client("GET", f"/v1/users/{person.id}/factors")).json()["data"]
    assert sorted(factor["kind"] for factor in listed) == ["backup_codes", "totp"]


@pytest.mark.requirement("B1", "E4", "H3")
async def test_an_approval_permits_one_of_fifty_changes(site: Site, client: Client) -> None:
    """Whether it is to add, to replace or to remove. One factor stays whatever happens: without any, beginning the
    first needs no approval.
    """
    person = await client.with_totp()
    base = f"/v1/users/{person.id}"
    second = await _with_hotp_too(client, person)
    approval = await client.approval(person, person.backup_codes[1])

    async def change(number: int) -> httpx.Response:
        if number % 3 == 0:
            return await client("POST", f"{base}/factors", {"kind": "totp", "approval": approval})
        if number % 3 == 1:
            return await client("POST", f"{base}/backup-codes", {"approval": approval})
        return await client("DELETE", f"{base}/factors/{second}?approval={approval}")

    answers = await crowd(change)
    won = [answer for answer in answers if answer.is_success]
    assert len(won) == 1, [answer.text for answer in won]
    lost = {answer.json()["code"] for answer in answers if not answer.is_success}
    # Once the factor is gone there is nothing left of this id.
    assert lost <= {"step_up_required", "throttled", "not_found"}


async def _with_hotp_too(client: Client, person: Person) -> str:
    """Another factor, approved by a backup code; its id."""
    base = f"/v1/users/{person.id}/factors"
    approval = await client.approval(person, person.backup_codes[0])
    begun = (await client("POST", base, {"kind": "hotp", "approval": approval})).json()
    code = hotp.code_at(parse(begun["enrollment"]["uri"]).secret, 0)
    active = await client("POST", f"{base}/{begun['id']}/activation", {"code": code})
    assert active.status_code == 200, active.text
    return str(begun["id"])


@pytest.mark.requirement("X7", "H3")
async def test_a_portal_link_opens_for_one_of_fifty_browsers(site: Site, client: Client) -> None:
    person = await client.with_totp()
    link = (await client.made(f"/v1/users/{person.id}/portal-links", {}))["url"]
    browsers = [Browser(site.url) for _ in range(CROWD)]
    await crowd(lambda number: browsers[number].get(link))
    tickets = {browser.hidden("ticket") for browser in browsers}
    assert len(tickets) == 1
    ticket = tickets.pop()
    answers = await crowd(lambda number: browsers[number].post("/portal/open", ticket=ticket))
    for browser in browsers:
        await browser.http.aclose()
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(303) == 1
    assert set(statuses) <= {303, 404, 429}
    assert sum("nightlatch-portal=" in answer.headers.get("set-cookie", "") for answer in answers) == 1


async def repeat(client: Client, path: str, body: dict[str, Any], key: str, _number: int) -> httpx.Response:
    """A POST under an Idempotency-Key."""
    return await client("POST", path, body, **{"idempotency-key": key})


async def test_an_idempotency_key_creates_one_thing(site: Site, client: Client) -> None:
    """Of what has no unique name, what has one, and what is told once."""
    person = await client.with_totp()
    name = f"noor-{secrets.token_hex(4)}"
    posts: dict[str, dict[str, Any]] = {
        "/v1/authentications": {"user": person.id, "context": CONTEXT, "action": "transfer"},
        "/v1/users": {"username": name},
        f"/v1/users/{(await client.person()).id}/factors": {"kind": "totp"},
    }
    for path, body in posts.items():
        answers = await crowd(partial(repeat, client, path, body, secrets.token_hex(16)))
        made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
        assert len(made) == 1, path
        assert set(told(answers)) - {"idempotency_running", "already_created", "throttled"} <= {"pending", "active"}
        if path.endswith("/factors"):
            assert sum(answer.status_code == 201 for answer in answers) == 1

    def counted(connection: Connection) -> tuple[int, ...]:
        attempts, users, factors = AUTHENTICATIONS.table, USERS.table, FACTORS.table
        owner = next(path for path in posts if path.endswith("/factors")).split("/")[3]
        wanted = (
            select(func.count()).where(attempts.c.root == person.id, attempts.c.action == "transfer"),
            select(func.count()).where(users.c.username == name),
            select(func.count()).where(factors.c.user_id == owner),
        )
        return tuple(connection.execute(one).scalar_one() for one in wanted)

    async with site.rows() as rows:
        assert await rows.read(counted) == (1, 1, 1)


@pytest.mark.requirement("H1", "H3")
@pytest.mark.parametrize("way", ["one_call", "one_sign_in", "many_sign_ins"])
async def test_wrong_codes_at_once_count_as_many_as_were_judged(site: Site, client: Client, way: str) -> None:
    """And no more are judged than are free, however many workers are asked."""
    guessed = await client.with_totp()
    begun = [] if way == "one_call" else await opened(client, guessed, 1 if way == "one_sign_in" else CROWD)

    async def guess(number: int) -> httpx.Response:
        if not begun:
            return await client.verify(guessed, guessed.wrong())
        return await client.answer(begun[number % len(begun)], guessed.wrong())

    counts = told([*await crowd(guess), *await crowd(guess)])
    judged = counts.pop("wrong_code")
    assert set(counts) <= {"throttled", "already_rejected"}, counts
    assert judged == 5
    kept = await failures(site, guessed)
    assert kept == (0, judged)
    # What is right must wait as well, and another factor need not (H5).
    right = (await client.verify(guessed, guessed.code(1))).json()
    assert right["reason"] == "throttled"
    assert 0 < right["retry_after"] <= 30
    assert (await client.verify(guessed, guessed.backup_codes[0])).json()["status"] == APPROVED
    assert await failures(site, guessed) == kept


async def failures(site: Site, person: Person) -> tuple[int, int]:
    """What the database counts against the person's factor: by known devices, and by others."""
    async with site.rows() as rows:
        return await rows.read(lambda connection: _failures(connection, person.factor))


def _failures(connection: Connection, factor: str) -> tuple[int, int]:
    kept = FACTOR_STATE.table.c
    row = connection.execute(select(kept.failures_known, kept.failures_other).where(kept.factor_id == factor)).one()
    return row[0], row[1]
