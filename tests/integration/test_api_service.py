"""Health, metrics, keys, the API's own description, headers and log lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, cast

import httpx
import msgspec
import pytest
import structlog
from joserfc import jwt
from joserfc.jwk import KeySet
from structlog.testing import capture_logs

from nightlatch.domain.errors import Unavailable
from nightlatch.web.app import ENDPOINTS, build
from nightlatch.web.common.metrics import CountedStore, Metrics
from tests.support.api import CONTEXT, METRICS_TOKEN, SETTINGS, Api, Application, open_api
from tests.support.ports import World


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield lines


class Broken:
    """A part of the outside that does not answer."""

    def __getattr__(self, name: str) -> Any:
        async def fail(*_: Any, **__: Any) -> None:
            raise Unavailable

        return fail


class Faulty:
    """A part of the outside with a bug in it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the password is hunter2")


def another(api: Api, **ports: Any) -> httpx.AsyncClient:
    """The same API with other ports."""
    app: Any = build(replace(api.world.ports, **ports), SETTINGS)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test")


async def test_health_and_readiness(api: Api) -> None:
    assert (await api.http.get("/healthz")).json() == {"status": "ok"}
    assert (await api.http.get("/readyz")).json() == {"status": "ready"}


@pytest.mark.requirement("G3")
async def test_without_a_database_nothing_is_ready_and_nothing_approved(api: Api) -> None:
    bank = await api.application()
    phone = await api.phone(bank, await api.person(bank))
    async with another(api, catalog=Broken()) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 503
    async with another(api, store=Broken()) as http:
        call = {"user": "maya", "code": phone.code(), "context": CONTEXT}
        response = await http.post("/v1/verify", json=call, headers={"authorization": f"Bearer {bank.key}"})
        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1


async def test_a_fault_of_ours_tells_nothing_and_is_logged_by_request(api: Api, logs: list[Any]) -> None:
    async with another(api, directory=Faulty()) as http:
        bank = await api.application()
        response = await http.get("/v1/users", headers={"authorization": f"Bearer {bank.key}"})
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "hunter2" not in response.text
    (line,) = [line for line in logs if line["event"] == "request failed"]
    assert line["request_id"] == response.headers["request-id"] == response.json()["request_id"]


@pytest.mark.requirement("X4", "K3")
async def test_one_line_a_request_without_what_stands_in_its_path(api: Api, logs: list[Any]) -> None:
    bank = await api.application()
    await api.person(bank)
    logs.clear()
    response = await bank("GET", "/v1/users/maya?")
    (line,) = logs
    assert line["route"] == "/v1/users/{user}"
    assert (line["method"], line["status"], line["application"]) == ("GET", 200, bank.id)
    assert line["request_id"] == response.headers["request-id"]
    assert line["ms"] >= 0
    logs.clear()
    await api.http.get("/p/some-token-that-must-not-be-told")
    assert "some-token" not in repr(logs)
    assert logs[0]["route"] == "unmatched"


@pytest.mark.requirement("X3", "X4")
@pytest.mark.parametrize("path", ["/healthz", "/v1/users", "/nothing", "/openapi.json"])
async def test_every_answer_has_its_id_and_strict_headers(api: Api, path: str) -> None:
    headers = (await api.http.get(path)).headers
    assert headers["request-id"].startswith("req_")
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "max-age" in headers["strict-transport-security"]


async def test_public_keys_verify_assertions_and_may_be_kept(api: Api) -> None:
    bank = await api.application()
    phone = await api.phone(bank, await api.person(bank))
    response = await api.http.get("/.well-known/jwks.json")
    assert response.headers["cache-control"] == "public, max-age=300"
    assert response.headers["access-control-allow-origin"] == "*"
    call = {"user": "maya", "code": phone.code(), "context": CONTEXT}
    verified = (await bank("POST", "/v1/verify", call)).json()
    token = jwt.decode(verified["assertion"], KeySet.import_key_set(response.json()), algorithms=["ES256"])
    assert token.claims["txn"] == verified["id"]
    assert all("d" not in key for key in response.json()["keys"])


async def metrics_of(http: httpx.AsyncClient) -> str:
    response = await http.get("/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return response.text


async def test_metrics_are_for_who_knows_the_token(api: Api) -> None:
    refused: tuple[dict[str, str] | dict[str, bytes], ...] = (
        {},
        {"authorization": "Bearer x"},
        {"authorization": "Bearer é".encode("latin-1")},
    )
    for headers in refused:
        response = await api.http.get("/metrics", headers=cast(Any, headers))
        assert response.status_code == 401
    app: Any = build(api.world.ports, replace(SETTINGS, metrics_token=None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as http:
        for token in ("", "None", METRICS_TOKEN):
            response = await http.get("/metrics", headers={"authorization": f"Bearer {token}"})
            assert response.status_code == 401


async def test_requests_decisions_and_verifications_are_counted(api: Api) -> None:
    metrics = Metrics()
    ports = replace(api.world.ports, store=CountedStore(api.world.ports.store, metrics))
    app: Any = build(ports, SETTINGS, metrics=metrics)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as http:
        bank = Application("", (await api.application()).key, http)
        phone = await api.phone(bank, await api.person(bank))
        for code in (phone.code(), phone.code()):
            await bank("POST", "/v1/verify", {"user": "maya", "code": code, "context": CONTEXT})
        await http.get("/nothing/secret")
        text = await metrics_of(http)
    assert 'nightlatch_requests_total{method="POST",route="/v1/verify",status="200"} 2.0' in text
    assert 'nightlatch_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'nightlatch_request_seconds_count{route="/v1/verify"} 2.0' in text
    assert 'nightlatch_decisions_total{decision="challenge"}' in text
    assert 'nightlatch_verifications_total{kind="totp",result="success"} 1.0' in text
    assert 'nightlatch_verifications_total{kind="totp",result="replayed"} 1.0' in text
    assert "secret" not in text
    assert "maya" not in text


async def test_the_description_names_every_route_with_its_scope(api: Api) -> None:
    document = (await api.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for endpoint in ENDPOINTS:
        operation = document["paths"][endpoint.path][endpoint.method.lower()]
        assert operation["operationId"] == endpoint.operation_id
        assert operation.get("x-scope") == endpoint.scope
        expected = [{"apiKey": [endpoint.scope]}] if endpoint.scope else [{"phone": []}] if endpoint.signed else []
        assert operation["security"] == expected
    for name, schema in document["components"]["schemas"].items():
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name
    assert {"/metrics", "/openapi.json"} <= set(document["paths"])


async def test_examples_in_the_description_are_accepted(api: Api) -> None:
    """What people copy works: each example decodes into the message that its endpoint takes."""
    for endpoint in ENDPOINTS:
        if endpoint.example is not None and endpoint.decoder is not None:
            endpoint.decoder.decode(msgspec.json.encode(endpoint.example))
