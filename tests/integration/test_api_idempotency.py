"""Idempotency-Key over HTTP: a lost answer creates nothing twice, and no secret is told again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from nightlatch.domain.time import HOUR
from nightlatch.web.app import ENDPOINTS
from tests.support.api import CONTEXT, Api, Application, open_api
from tests.support.ports import World

KEY = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


@pytest.fixture
async def bank(api: Api) -> Application:
    return await api.application()


def test_it_is_honored_where_something_is_created_and_on_no_verification() -> None:
    creating = {endpoint.path for endpoint in ENDPOINTS if endpoint.creates}
    assert creating == {
        "/v1/users",
        "/v1/users/{user}/factors",
        "/v1/users/{user}/factors/{factor}/challenges",
        "/v1/users/{user}/backup-codes",
        "/v1/users/{user}/portal-links",
        "/v1/authentications",
        "/v1/authentications/{authentication}/challenges",
    }
    assert all(endpoint.status == 201 for endpoint in ENDPOINTS if endpoint.creates)


async def test_a_repeat_gets_the_first_answer(bank: Application) -> None:
    first = await bank("POST", "/v1/users", {"username": "maya"}, headers=KEY)
    second = await bank("POST", "/v1/users", {"username": "maya"}, headers=KEY)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["content-type"] == "application/json"
    assert second.headers["request-id"] != first.headers["request-id"]


async def test_of_many_at_once_one_creates(bank: Application) -> None:
    responses = await asyncio.gather(*(bank("POST", "/v1/users", {"username": "maya"}, headers=KEY) for _ in range(10)))
    made = {response.json()["id"] for response in responses if response.status_code == 201}
    assert len(made) == 1
    others = {response.json()["code"] for response in responses if response.status_code != 201}
    assert others <= {"idempotency_running"}


async def test_another_body_is_refused(bank: Application) -> None:
    await bank("POST", "/v1/users", {"username": "maya"}, headers=KEY)
    other = await bank("POST", "/v1/users", {"username": "nina"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_keys_belong_to_one_application_and_route(api: Api, bank: Application) -> None:
    await bank("POST", "/v1/users", {"username": "maya"}, headers=KEY)
    other = await api.application(name="other")
    assert (await other("POST", "/v1/users", {"username": "nina"}, headers=KEY)).status_code == 201
    begun = await bank("POST", "/v1/authentications", {"user": "maya", "context": CONTEXT}, headers=KEY)
    assert begun.status_code == 201


async def test_a_secret_is_never_told_again(api: Api, bank: Application) -> None:
    user = await api.person(bank)
    path = f"/v1/users/{user}/factors"
    first = await bank("POST", path, {"kind": "totp"}, headers=KEY)
    second = await bank("POST", path, {"kind": "totp"}, headers=KEY)
    assert (second.status_code, second.json()["code"]) == (409, "already_created")
    assert second.json()["id"] == first.json()["id"]
    assert first.json()["enrollment"]["secret"] not in second.text
    assert len((await bank("GET", path)).json()["data"]) == 1


async def test_an_answer_with_an_assertion_is_a_secret(api: Api, bank: Application) -> None:
    """The same call without one is repeated as it was."""
    await api.phone(bank, await api.person(bank))
    lax = {"mfa_enforcement": {"all_users": True, "risk_based_prompting": [{"sensitive_action": "require_mfa"}]}}
    assert (await bank("PUT", "/v1/policy", lax, headers={"if-match": "*"})).status_code == 200
    allowed = {"user": "maya", "context": CONTEXT}
    first = await bank("POST", "/v1/authentications", allowed, headers=KEY)
    assert first.json()["assertion"], first.text
    second = await bank("POST", "/v1/authentications", allowed, headers=KEY)
    assert (second.status_code, second.json()["code"]) == (409, "already_created")
    assert second.json()["id"] == first.json()["id"]
    challenged = {"user": "maya", "context": CONTEXT, "action": "transfer"}
    other = {"idempotency-key": "another"}
    third = await bank("POST", "/v1/authentications", challenged, headers=other)
    assert third.json()["decision"] == "challenge", third.text
    assert (await bank("POST", "/v1/authentications", challenged, headers=other)).content == third.content


async def test_a_refusal_is_judged_anew(api: Api, bank: Application) -> None:
    await api.person(bank)
    assert (await bank("POST", "/v1/users", {"username": "maya"}, headers=KEY)).status_code == 409
    await bank("DELETE", "/v1/users/maya")
    assert (await bank("POST", "/v1/users", {"username": "maya"}, headers=KEY)).json()["code"] == "username_taken"


async def test_it_is_forgotten_after_a_day(api: Api, bank: Application) -> None:
    await bank("POST", "/v1/users", {"username": "maya"}, headers=KEY)
    api.world.clock.advance(25 * HOUR)
    again = await bank("POST", "/v1/users", {"username": "nina"}, headers=KEY)
    assert again.status_code == 201


async def test_verifications_ignore_it(api: Api, bank: Application) -> None:
    """A code counts once, however often it is sent and under whatever key."""
    phone = await api.phone(bank, await api.person(bank))
    call = {"user": "maya", "code": phone.code(), "context": CONTEXT}
    first = await bank("POST", "/v1/verify", call, headers=KEY)
    second = await bank("POST", "/v1/verify", call, headers=KEY)
    assert first.json()["status"] == "approved"
    assert (second.json()["status"], second.json()["reason"]) == ("rejected", "replayed")


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
async def test_bad_keys_are_refused(bank: Application, key: str) -> None:
    refused = await bank("POST", "/v1/users", {"username": "maya"}, headers={"idempotency-key": key.encode("latin-1")})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_idempotency_key")
