"""Attacks on the edges of push: what strangers and phones of our own may send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from nightlatch.adapters.sql.ephemeral import SqlEphemeral
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.portal.link import new_portal_link
from nightlatch.domain.factors.push_protocol import ALGORITHM, RESPONSE
from tests.support.api import Api, open_api
from tests.support.browsing import Visitor, open_pages
from tests.support.phones import PushPhone, signed
from tests.support.ports import OPERATOR, SITE, World
from tests.support.push_api import held


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


@pytest.mark.parametrize("wait", ["", "?wait=1"])
async def test_looking_uses_nothing_up(api: Api, wait: str) -> None:
    """The device's token, told once, is for who reads: HEAD tells nobody anything."""
    maya = await held(api)
    challenge, number = await maya.asked(path := await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"
    for _ in range(2):
        looked = await maya.bank("HEAD", path + wait)
        assert (looked.status_code, looked.content) == (200, b"")
    read = (await maya.bank("GET", path + wait)).json()
    assert (bool(read["device_token"]), bool(read["assertion"])) == (True, True)


@pytest.mark.parametrize(
    "call", [("GET", "/v1/push/challenges?x=1"), ("GET", "/v1/push/factor?\xff"), ("PUT", "/v1/push/subscription")]
)
async def test_strangers_hear_of_the_signature_alone(api: Api, call: tuple[str, str]) -> None:
    """The phone itself hears what is wrong with the rest."""
    maya = await held(api)
    method, path = call
    body = b'{"nope": 1}' if method == "PUT" else b""
    json = {"content-type": "application/json"}
    stranger = await api.http.request(method, path, content=body, headers=json)
    assert (stranger.status_code, stranger.json()["code"]) == (401, "phone_not_paired")
    signature = maya.phone.authorization(method, path.partition("?")[0], body)
    paired = await api.http.request(method, path, content=body, headers=json | {"authorization": signature})
    assert paired.status_code in (400, 422), paired.text


JTIS = ["a" * 15, "a" * 65, "a" * 20 + "\0", "a" * 20 + " ", "a" * 20 + "\n", "a" * 20 + "ü", "\ud800" * 20, ""]


@pytest.fixture
async def keeping(each_world: World) -> AsyncIterator[Api]:
    """Everything in the database, on each kind of it."""
    kept = SqlEphemeral(each_world.database, each_world.clock)
    each_world.ports = replace(each_world.ports, ephemeral=kept)
    async with open_api(each_world) as opened:
        yield opened
    await kept.close()


@pytest.mark.parametrize("jti", JTIS)
async def test_an_id_of_a_request_is_visible(keeping: Api, jti: str) -> None:
    """It becomes part of a key, which no database must choke on."""
    maya = await held(keeping)
    try:
        signature = maya.phone.authorization("GET", "/v1/push/factor", jti=jti)
    except UnicodeError:
        return  # half a surrogate pair is not even signed
    refused = await keeping.http.get("/v1/push/factor", headers={"authorization": signature})
    assert (refused.status_code, refused.json()["code"]) == (401, "phone_not_paired")
    signature = maya.phone.authorization("GET", "/v1/push/factor", jti="!~" * 32)
    assert (await keeping.http.get("/v1/push/factor", headers={"authorization": signature})).status_code == 200


async def test_no_claim_holds_what_no_database_keeps(keeping: Api) -> None:
    """Each of the three messages, in each of its claims."""
    maya = await held(keeping)
    challenge, number = await maya.asked(await maya.begin())
    header = {"alg": ALGORITHM, "typ": RESPONSE, "kid": maya.phone.factor}
    claims = maya.phone.claims(challenge, "approve", number)
    for name in claims:
        response = signed(header, claims | {name: "a\0b"}, maya.phone.key)
        path = f"/v1/push/challenges/{challenge['id']}/response"
        assert (await keeping.http.post(path, json={"response": response})).status_code == 422, name
    for name in ("aud", "htm", "htu", "body_hash", "iat"):
        wrong: dict[str, Any] = {name: "a\0b"}
        signature = maya.phone.authorization("GET", "/v1/push/factor", **wrong)
        told = await keeping.http.get("/v1/push/factor", headers={"authorization": signature})
        assert told.status_code == 401, name
    stranger = PushPhone(SITE.public_url, keeping.world.clock)
    code = "0123456789ABCDEFGHJKMNPQ"
    bodies = [stranger.pairing(code, **{name: "a\0b"}) for name in ("aud", "code_hash", "iat", "jti")]
    bodies += [stranger.pairing(code) | {name: "a\0b"} for name in ("name", "code", "proof")]
    for body in bodies:
        assert (await keeping.http.post("/v1/push/pairings", json=body)).status_code == 422


REST = ("", "/code", "/ways", "/lost", "/help", "/number", "/push", "/text")
FIELDS = ("code", "phone", "label", "name", "way", "factor", "kind", "anew", "remember", "number", "said", "ticket")


async def spoiled(browser: Visitor) -> None:
    """Send each form of the page with U+0000 in all that a person may fill in."""
    address, forms = str(browser.page.url), browser.forms
    for form in forms:
        fields = form.fields | dict.fromkeys(FIELDS, "a\0b")
        headers = {"sec-fetch-site": "same-origin", "origin": "null"}
        told = await browser.http.post(httpx.URL(address).join(form.action), data=fields, headers=headers)
        assert told.status_code < 500, (form.action, told.text)
    asked = "&".join(f"{name}=a%00b" for name in FIELDS)
    told = await browser.http.get(f"{address.partition('?')[0]}?{asked}")
    assert told.status_code < 500, (address, told.text)


async def test_no_form_holds_what_no_database_keeps(each_world: World) -> None:
    """The prompt of somebody without a factor and of one with, and their own pages."""
    kept = SqlEphemeral(each_world.database, each_world.clock)
    each_world.ports = replace(each_world.ports, ephemeral=kept)
    policy = (
        "mfa_enforcement: {all_users: true}\n"
        "factors: {allowed: [push, totp, sms, backup_codes], sms: {only_with_alternative: false}}\n"
    )
    await apply_policy(each_world.ports, OPERATOR, policy, 0)
    pages = await open_pages(each_world)
    caller = pages.bank.caller
    for username in ("maya", "berta"):
        await each_world.person(caller, username)
    await each_world.activated(caller, "maya")
    for username in ("maya", "berta", "nobody1"):
        async with pages.browser() as browser:
            attempt = await pages.bank.send(username)
            assert attempt.prompt_url is not None
            await browser.get(attempt.prompt_url)
            base = str(browser.page.url)
            for rest in REST:
                await browser.get(f"{base}{rest}")
                if "html" in browser.page.headers["content-type"]:
                    await spoiled(browser)
    async with pages.browser() as browser:
        await browser.get((await new_portal_link(each_world.ports, caller, "maya")).url)
        await spoiled(browser)
    await kept.close()
