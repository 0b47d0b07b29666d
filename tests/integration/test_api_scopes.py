"""Route × scope × foreign application, over all routes that there are."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from nightlatch.app.context import SCOPES
from nightlatch.domain.crypto.tokens import api_key
from nightlatch.web.app import ENDPOINTS
from nightlatch.web.common.endpoint import Endpoint, Text
from tests.support.api import CONTEXT, Api, Application, open_api
from tests.support.ports import World

GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.scope is not None]
PHONES = [endpoint for endpoint in ENDPOINTS if endpoint.tag == "Authenticator"]
OPEN = [endpoint for endpoint in ENDPOINTS if endpoint.scope is None and endpoint not in PHONES]
UNKNOWN = {
    "user": "usr_00000000000000000000000000000000",
    "factor": "fac_00000000000000000000000000000000",
    "authentication": "atn_00000000000000000000000000000000",
    "device": "dev_00000000000000000000000000000000",
    "version": "7",
}


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


def name(endpoint: Endpoint) -> str:
    return endpoint.operation_id


async def call(application: Application, endpoint: Endpoint, parts: Mapping[str, str] = UNKNOWN, **more: Any) -> Any:
    """A well-formed call of this endpoint."""
    body: dict[str, Any] = {}
    if endpoint.body is Text:
        body = {"content": "mfa_enforcement: {all_users: true}", "headers": {"content-type": "application/yaml"}}
    elif endpoint.body is not None:
        body = {"json": dict(endpoint.example or {})}
    return await application(endpoint.method, endpoint.path.format(**parts), **body, **more)


def test_every_route_names_one_scope_that_exists() -> None:
    assert {endpoint.scope for endpoint in GUARDED} <= set(SCOPES) - {"admin"}
    assert {endpoint.path for endpoint in OPEN} == {"/healthz", "/readyz", "/.well-known/jwks.json"}


async def test_a_key_is_of_no_use_where_phones_sign(api: Api) -> None:
    """Nor is nothing; what is not signed as a whole request answers with its own signature."""
    bank = await api.application()
    signed = [endpoint for endpoint in PHONES if endpoint.signed]
    assert {endpoint.path for endpoint in PHONES} - {endpoint.path for endpoint in signed} == {
        "/v1/push/pairings",
        "/v1/push/challenges/{challenge}/response",
    }
    for endpoint in signed:
        for headers in ({}, {"authorization": f"Bearer {bank.key}"}, {"authorization": "Push a.b.c"}):
            answer = await api.http.request(endpoint.method, endpoint.path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "phone_not_paired")
            assert answer.headers["www-authenticate"].startswith("Push ")


def test_operation_ids_are_unique() -> None:
    names = [endpoint.operation_id for endpoint in ENDPOINTS]
    assert len(names) == len(set(names))


async def test_without_a_good_key_every_route_is_a_401(api: Api) -> None:
    """No key, another scheme, a mistyped key, an unknown one, one that was revoked: one text for all of them."""
    good = await api.application()
    wrong = [
        None,
        "Basic bmxrOg==",
        "Bearer",
        "Bearer nlk_x",
        f"Bearer {good.key[:-1]}",
        f"bearer {api_key(bytes(32))}",
    ]
    for endpoint, authorization in itertools.product(GUARDED, wrong):
        headers = {} if authorization is None else {"authorization": authorization}
        response = await api.http.request(endpoint.method, endpoint.path.format(**UNKNOWN), headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated"), endpoint.path
        assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("endpoint", GUARDED, ids=name)
async def test_a_key_opens_exactly_the_routes_of_its_scopes(api: Api, endpoint: Endpoint) -> None:
    """With every scope but the route's: 403 that names it. With the route's alone, or ``admin``: it comes through."""
    others = [scope for scope in SCOPES if scope not in (endpoint.scope, "admin")]
    refused = await call(await api.application(*others, name="others"), endpoint)
    assert refused.status_code == 403, refused.text
    assert (refused.json()["code"], refused.json()["scope"]) == ("missing_scope", endpoint.scope)
    for scope in (endpoint.scope, "admin"):
        answered = await call(await api.application(str(scope), name=f"only {scope}"), endpoint)
        assert answered.status_code not in (401, 403, 405), answered.text
        assert answered.status_code < 500, answered.text


@pytest.mark.parametrize("endpoint", [e for e in GUARDED if "{authentication}" in e.path], ids=name)
async def test_another_applications_authentication_is_not_there(api: Api, endpoint: Endpoint) -> None:
    bank, other = await api.application(), await api.application(name="other")
    await api.person(bank)
    begun = await bank("POST", "/v1/authentications", {"user": "maya", "context": CONTEXT})
    parts = UNKNOWN | {"authentication": begun.json()["id"]}
    foreign, unknown = await call(other, endpoint, parts), await call(other, endpoint)
    assert foreign.status_code == unknown.status_code == 404, foreign.text
    # Nothing in the answer tells a foreign one from none.
    assert foreign.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}
    assert (await call(bank, endpoint, parts)).status_code != 404


async def test_another_applications_devices_are_not_there(api: Api) -> None:
    bank, other = await api.application(), await api.application(name="other")
    phone = await api.phone(bank, await api.person(bank))
    proved = await bank("POST", "/v1/verify", {"user": "maya", "code": phone.code(), "context": CONTEXT})
    assert proved.json()["status"] == "approved", proved.text
    (device,) = (await bank("GET", "/v1/users/maya/devices")).json()["data"]
    assert (await other("GET", "/v1/users/maya/devices")).json()["data"] == []
    assert (await other("DELETE", f"/v1/users/maya/devices/{device['id']}")).status_code == 404
    assert (await other("DELETE", "/v1/users/maya/devices")).status_code == 204
    assert len((await bank("GET", "/v1/users/maya/devices")).json()["data"]) == 1
    assert (await bank("DELETE", f"/v1/users/maya/devices/{device['id']}")).status_code == 204
    assert (await bank("GET", "/v1/users/maya/devices")).json()["data"] == []


async def test_open_routes_need_no_key(api: Api) -> None:
    for endpoint in OPEN:
        assert (await api.http.request(endpoint.method, endpoint.path)).status_code == 200
