"""Nested deeper than Python goes: every endpoint that takes JSON refuses it, and none fails."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.api import CONTEXT, Api, Application, open_api
from tests.support.ports import World
from tests.support.push_api import held

# Decoding, checking and encoding each fail at a depth of their own, a little below a thousand.
DEPTHS = [70, 400, *range(890, 1010, 7), 3000]
SURE = 10_000


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


@pytest.fixture
async def bank(api: Api) -> Application:
    return await api.application()


def nested(depth: int) -> str:
    """Brackets in brackets."""
    return "[" * depth + "]" * depth


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


async def posts(api: Api) -> list[tuple[str, str, list[str]]]:
    """Method, path and the members of the body, of every endpoint that takes JSON."""
    document = (await api.http.get("/openapi.json")).json()
    schemas: dict[str, Any] = document["components"]["schemas"]
    found = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            if (schema := content.get("application/json", {}).get("schema")) is not None:
                members = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema).get("properties", {"a": None})
                found.append((method.upper(), path.replace("{", "").replace("}", ""), list(members)))
    return found


@pytest.mark.parametrize("depth", [1000, SURE])
async def test_no_body(api: Api, bank: Application, depth: int) -> None:
    """In each of its members, in one that is not known, and as all of it."""
    endpoints = await posts(api)
    assert len(endpoints) > 12, endpoints
    for method, path, members in endpoints:
        for text in (nested(depth), *(f'{{"{name}":{nested(depth)},"x":"\\u0000"}}' for name in [*members, "nope"])):
            answered = await bank(method, path, content=text, headers={"content-type": "application/json"})
            assert 400 <= answered.status_code < 500, (method, path, text[:30], answered.text)


async def test_no_details(api: Api, bank: Application) -> None:
    """Which are kept, hashed and told again: they have a bound of ours."""
    await api.person(bank)
    for depth in DEPTHS:
        details = f'{{"a":{nested(depth)}}}'
        body = f'{{"user":"maya","action":"pay","action_details":{details},"context":{{"ip":"192.0.2.7"}}}}'
        answered = await bank("POST", "/v1/authentications", content=body, headers={"content-type": "application/json"})
        assert answered.status_code in (400, 422), (depth, answered.text)
        if answered.status_code == 422:
            (error,) = answered.json()["errors"]
            assert (error["pointer"], error["code"]) == ("/action_details", "not_canonical")


async def test_details_of_common_depth_are_kept(api: Api, bank: Application) -> None:
    """And approved with a code."""
    phone = await api.phone(bank, await api.person(bank))
    asked = {"user": "maya", "action": "pay", "action_details": {"a": [[[{"b": [1]}]]]}, "context": CONTEXT}
    begun = (await bank("POST", "/v1/authentications", asked)).json()
    path = f"/v1/authentications/{begun['id']}/verifications"
    assert (await bank("POST", path, {"code": phone.code()})).json()["status"] == "approved"


@pytest.mark.parametrize("depth", [400, 960, 990, 1000, 2900])
async def test_no_phones_message(api: Api, depth: int) -> None:
    """From strangers, and from the phone itself."""
    phone = await held(api)
    token = b64(f'{{"alg":"ES256","kid":"x","a":{nested(depth)}}}') + ".e30.AA"
    told = await api.http.get("/v1/push/challenges", headers={"authorization": f"Push {token}"})
    assert (told.status_code, told.json()["code"]) == (401, "phone_not_paired")
    told = await api.http.post(f"/v1/push/challenges/chl_{'0' * 32}/response", json={"response": token})
    assert told.status_code == 422
    proof = phone.phone.pairing("0123456789ABCDEFGHJKMNPQ") | {"proof": token}
    assert (await api.http.post("/v1/push/pairings", json=proof)).status_code == 422
    body = f'{{"subscription":{{"web":{nested(depth)}}}}}'.encode()
    signature = phone.phone.authorization("PUT", "/v1/push/subscription", body)
    headers = {"authorization": signature, "content-type": "application/json"}
    told = await api.http.put("/v1/push/subscription", content=body, headers=headers)
    assert told.status_code in (400, 422)
