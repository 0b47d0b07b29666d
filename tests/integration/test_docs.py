"""The documentation that a server carries: what it tells people to copy works, and every error leads to its page."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nightlatch.web.app import endpoints_of
from nightlatch.web.common.error_codes import ERROR_CODES
from nightlatch.web.common.metrics import Metrics
from nightlatch.web.common.reference import KEY_VARIABLE, Operation, reference
from tests.support.api import METRICS_TOKEN, SETTINGS, Api, open_api
from tests.support.ports import World

OPERATIONS = [
    operation for group in reference(endpoints_of(SETTINGS, Metrics())[1]).groups for operation in group.operations
]


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


def curl_of(operation: Operation, key: str) -> tuple[str, str, dict[str, str], str | None]:
    """What the shell would hand to curl: method, address, headers, body."""
    one_line = operation.curl.replace("\\\n", "")
    words = shlex.split(one_line.replace("$NIGHTLATCH_METRICS_TOKEN", METRICS_TOKEN).replace(f"${KEY_VARIABLE}", key))
    assert words.pop(0) == "curl"
    method, headers, body, address = "GET", {}, None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0)
        else:
            address = word
    return method, address, headers, body


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_a_call_to_copy_is_understood(api: Api, operation: Operation) -> None:
    """It may find nothing to act on, but nothing in it is wrong."""
    bank = await api.application()
    await api.person(bank)
    method, address, headers, body = curl_of(operation, bank.key)
    path = address.removeprefix(SETTINGS.public_url)
    response = await api.http.request(method, path, headers=headers, content=body)
    missing = response.status_code in (404, 409, 412)
    assert response.is_success or missing or _needs_somebody(response.json()), response.text


def _needs_somebody(problem: dict[str, Any]) -> bool:
    """Whether all that is missing is what a page cannot hold: a person's approval, a phone's signature."""
    unsigned = {error["pointer"] for error in problem.get("errors", [])}
    return problem["code"] in ("step_up_required", "phone_not_paired") or unsigned in ({"/proof"}, {"/response"})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_python_says_what_curl_says(operation: Operation) -> None:
    (call,) = [
        node
        for node in ast.walk(ast.parse(operation.python))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("httpx.")
    ]
    method, address, headers, body = curl_of(operation, "KEY")
    said = {keyword.arg: keyword.value for keyword in call.keywords}
    assert ast.unparse(call.func) == f"httpx.{method.lower()}"
    assert ast.literal_eval(call.args[0]) == address
    assert (ast.literal_eval(said["json"]) if "json" in said else None) == (json.loads(body) if body else None)
    names = [ast.literal_eval(key) for key in said["headers"].keys if key] if "headers" in said else []  # type: ignore[attr-defined]
    assert set(names) == set(headers) - {"Content-Type"}


@pytest.mark.requirement("X3")
async def test_pages_show_every_operation_and_every_code(api: Api) -> None:
    shown = await api.http.get("/docs")
    assert shown.status_code == 200
    assert "default-src 'self'" in shown.headers["content-security-policy"]
    assert all(f'id="{operation.id}"' in shown.text for operation in OPERATIONS)
    listed = await api.http.get("/docs/errors")
    assert all(f"/docs/errors/{code}" in listed.text for code in ERROR_CODES)


async def test_the_type_of_a_problem_opens_its_page(api: Api) -> None:
    problem = (await api.http.get("/v1/users")).json()
    page = await api.http.get(problem["type"].removeprefix(SETTINGS.public_url))
    assert page.status_code == 200
    assert problem["title"] in page.text
    assert (await api.http.get("/docs/errors/nonsense")).status_code == 404


async def test_a_browser_that_gets_lost_is_shown_a_page(api: Api) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    lost = await api.http.get("/nothing", headers=browser)
    assert (lost.status_code, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here." in lost.text
    program = await api.http.get("/v1/nothing", headers=browser)
    assert program.headers["content-type"] == "application/problem+json"
