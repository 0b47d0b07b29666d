"""Bad input: every mistake gets its own answer, in one form, and none of them a 500."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.api import CONTEXT, Api, Application, open_api
from tests.support.ports import World

PROBLEM = "application/problem+json"


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


@pytest.fixture
async def bank(api: Api) -> Application:
    return await api.application()


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The document, after checking that it is one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    document = response.json()
    assert document["status"] == status
    assert document["code"] == code, document
    assert document["type"].endswith(f"/docs/errors/{code}")
    assert document["request_id"] == response.headers["request-id"]
    assert document["title"]
    assert document["detail"]
    return document


async def raw(bank: Application, body: bytes, kind: str = "application/json") -> httpx.Response:
    return await bank("POST", "/v1/users", content=body, headers={"content-type": kind})


@pytest.mark.parametrize("body", [b"", b'{"username":"ma', b"\xff\xfe", b'{"username":"\xff"}', b"[" * 60_000])
async def test_what_is_no_json_is_a_400(bank: Application, body: bytes) -> None:
    problem(await raw(bank, body), 400, "malformed_json")


async def test_a_megabyte_is_refused(bank: Application) -> None:
    problem(await raw(bank, b'{"username":"' + b"a" * 1_000_000 + b'"}'), 413, "body_too_large")


async def test_a_megabyte_that_hides_its_length_is_refused(bank: Application) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"a" * 10_000

    response = await bank("POST", "/v1/users", content=chunks(), headers={"content-type": "application/json"})
    problem(response, 413, "body_too_large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json"])
async def test_other_media_types_are_refused(bank: Application, kind: str) -> None:
    problem(await raw(bank, b'{"username":"maya"}', kind), 415, "unsupported_media_type")


async def test_wrong_types_and_unknown_fields_are_all_named(bank: Application) -> None:
    response = await bank("POST", "/v1/users", {"username": 1, "groups": "staff", "emials": []})
    document = problem(response, 422, "invalid_request")
    assert {(e["pointer"], e["code"], e.get("nearest")) for e in document["errors"]} == {
        ("/username", "wrong_type", None),
        ("/groups", "wrong_type", None),
        ("/emials", "unknown_field", "emails"),
    }


@pytest.mark.requirement("G2")
@pytest.mark.parametrize("name", ["a\u0000b", "a\nb", "a\u001b[2Jb", "a\u202eb", "\u0007"])
async def test_control_characters_in_names_are_refused(bank: Application, name: str) -> None:
    for field in ("username", "display_name"):
        body = {"username": "maya"} | {field: name}
        document = problem(await bank("POST", "/v1/users", body), 422, "invalid_request")
        assert [e["pointer"] for e in document["errors"]] == [f"/{field}"]


@pytest.mark.requirement("T1", "T6")
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"secret": "not base32!"}, "/secret"),
        ({"secret": "JBSWY3DPEHPK3PXP"}, "/secret"),
        ({"period": 121}, "/period"),
        ({"period": 0}, "/period"),
        ({"digits": 5}, "/digits"),
        ({"digits": 10**30}, "/digits"),
        ({"algorithm": "MD5"}, "/algorithm"),
        ({"kind": "totpp"}, "/kind"),
        ({"label": "x" * 500}, "/label"),
        ({"label": "a\nb"}, "/label"),
    ],
)
async def test_bad_parameters_of_a_factor_are_named(
    api: Api, bank: Application, fields: dict[str, Any], pointer: str
) -> None:
    user = await api.person(bank)
    response = await bank("POST", f"/v1/users/{user}/factors", {"kind": "totp"} | fields)
    document = problem(response, 422, "invalid_request")
    assert [e["pointer"] for e in document["errors"]] == [pointer]


@pytest.mark.parametrize(
    "expires_at", ["2026-01-01T00:00:00", "yesterday", 7, "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]
)
async def test_bad_times_are_named(bank: Application, expires_at: Any) -> None:
    body = {"username": "batch", "kind": "service", "owner": "ops", "expires_at": expires_at}
    document = problem(await bank("POST", "/v1/users", body), 422, "invalid_request")
    assert "/expires_at" in [e["pointer"] for e in document["errors"]]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/users/nobody",
        "/v1/users/usr_00000000000000000000000000000000",
        "/v1/users/a%00b",
        "/v1/users/" + "x" * 5000,
        "/v1/users/%F0%9F%94%92",
        "/v1/authentications/atn_00000000000000000000000000000000",
        "/v1/authentications/nonsense",
        "/v1/authentications/a%00b",
        "/v1/policy/versions/99",
        "/v1/policy/versions/x",
        "/v1/nothing",
        "/v1",
        "/%00",
    ],
)
async def test_what_is_not_there_is_a_404(bank: Application, path: str) -> None:
    problem(await bank("GET", path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/users", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("GET", "/v1/verify", {"POST", "OPTIONS"}),
        ("TRACE", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", "/v1/users/maya", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
    ],
)
async def test_other_methods_are_a_405_that_names_the_good_ones(
    bank: Application, method: str, path: str, allow: set[str]
) -> None:
    response = await bank(method, path)
    problem(response, 405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allow


async def test_a_host_that_is_none_is_a_400(bank: Application) -> None:
    problem(await bank("GET", "/v1/users", headers={"host": "a b"}), 400, "malformed")


async def test_websockets_are_refused(api: Api) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "websocket", "path": "/v1/users/maya", "headers": [], "query_string": b""}
    await api.app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_options_lists_the_methods_to_everybody(api: Api) -> None:
    response = await api.http.options("/v1/users")
    assert response.status_code == 204
    assert "POST" in response.headers["allow"]
    assert response.content == b""


async def test_head_is_get_without_a_body(api: Api, bank: Application) -> None:
    await api.person(bank)
    read, head = await bank("GET", "/v1/users/maya"), await bank("HEAD", "/v1/users/maya")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == read.headers["content-length"]


@pytest.mark.parametrize(
    ("path", "pointer", "nearest"),
    [
        ("/v1/users?usrname=maya", "/usrname", "username"),
        ("/v1/users?limit=0", "/limit", None),
        ("/v1/users?limit=5&limit=6", "/limit", None),
        ("/v1/users?cursor=nonsense", "/cursor", None),
        ("/v1/users/maya?expand=factors", "/expand", None),
        ("/v1/audit/events?since=yesterday", "/since", None),
        ("/v1/audit/events?since=0001-01-01T00:00:00%2B23:59", "/since", None),
        ("/v1/audit/events?cursor=-1", "/cursor", None),
        ("/v1/authentications/atn_00000000000000000000000000000000?wait=31", "/wait", None),
        ("/healthz?verbose", "/verbose", None),
    ],
)
async def test_bad_parameters_are_named(bank: Application, path: str, pointer: str, nearest: str | None) -> None:
    document = problem(await bank("GET", path), 422, "invalid_request")
    assert [(e["pointer"], e.get("nearest")) for e in document["errors"]] == [(pointer, nearest)]


async def test_a_query_that_cannot_be_read_is_a_400(bank: Application) -> None:
    problem(await bank("GET", "/v1/users?q=%ff"), 400, "malformed_query")


async def test_a_post_without_fields_takes_no_body_or_an_empty_object(api: Api, bank: Application) -> None:
    user = await api.person(bank)
    path = f"/v1/users/{user}/portal-links"
    assert (await bank("POST", path)).status_code == 201
    assert (await bank("POST", path, {})).status_code == 201
    problem(await bank("POST", path, {"days": 5}), 422, "invalid_request")
    problem(await bank("POST", path, content=b"{}"), 415, "unsupported_media_type")


@pytest.mark.parametrize("ip", ["", "localhost", "192.0.2.256", "192.0.2.0/24", "::1%eth0 "])
async def test_an_address_that_is_none_is_never_taken_for_safe(bank: Application, ip: str) -> None:
    body = {"user": "maya", "context": {"ip": ip}}
    document = problem(await bank("POST", "/v1/authentications", body), 422, "invalid_request")
    assert [e["pointer"] for e in document["errors"]] == ["/context/ip"]


async def test_the_address_is_required(bank: Application) -> None:
    document = problem(
        await bank("POST", "/v1/authentications", {"user": "maya", "context": {}}), 422, "invalid_request"
    )
    assert [(e["pointer"], e["code"]) for e in document["errors"]] == [("/context/ip", "missing")]


@pytest.mark.parametrize("code", ["", "x" * 10_000, "\u0660" * 6, "12 34", "🔒"])
async def test_nonsense_for_a_code_is_an_answer_and_no_fault(api: Api, bank: Application, code: str) -> None:
    await api.phone(bank, await api.person(bank))
    response = await bank("POST", "/v1/verify", {"user": "maya", "code": code, "context": CONTEXT})
    assert response.status_code in (200, 422), response.text
    if response.status_code == 200:
        assert response.json()["status"] == "rejected"
