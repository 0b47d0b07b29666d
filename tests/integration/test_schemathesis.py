"""The API does what its own description says, whatever is sent (schemathesis on a real server)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks

from tests.support.api import CONTEXT, METRICS_TOKEN, Api, Application, Served, serving_in_thread

UNKNOWN = "00000000000000000000000000000000"
KNOWN: dict[str, list[str]] = {"user": ["maya"], "factor": [], "authentication": [], "device": [], "version": ["1"]}
PREFIX = {"user": "usr_", "factor": "fac_", "authentication": "atn_", "device": "dev_", "version": ""}

# Not used: positive_data_acceptance. Names, addresses, codes and states have rules that no JSON schema tells.
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.ignored_auth,
]


async def prepared(api: Api, bank: Application) -> None:
    """Something to find: a person with a phone, a device, and a sign-in that is open."""
    phone = await api.phone(bank, await api.person(bank))
    KNOWN["factor"].append(phone.factor)
    await bank("POST", "/v1/verify", {"user": "maya", "code": phone.code(1), "context": CONTEXT})
    KNOWN["device"] += [item["id"] for item in (await bank("GET", "/v1/users/maya/devices")).json()["data"]]
    begun = await bank("POST", "/v1/authentications", {"user": "maya", "context": CONTEXT})
    KNOWN["authentication"].append(begun.json()["id"])
    policy = "mfa_enforcement: {all_users: true}"
    headers = {"content-type": "application/yaml", "if-match": "*"}
    await bank("PUT", "/v1/policy", content=policy, headers=headers)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_in_thread(tmp_path_factory.mktemp("api"), prepared) as running:
        yield running


@pytest.fixture(scope="module")
def described(served: Served) -> Any:
    """The description, with known things to ask for, and no long waits."""
    document = httpx.get(f"{served.url}/openapi.json").json()
    document["servers"] = [{"url": served.url}]
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    name = parameter["name"]
                    unknown = f"{PREFIX[name]}{UNKNOWN}"
                    known = [] if operation["operationId"] == "delete_user" else KNOWN[name]
                    parameter["schema"] |= {"enum": [*known, unknown]}
                if parameter["name"] == "wait":
                    parameter["schema"]["maximum"] = 0
    return schemathesis.openapi.from_dict(document)


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_keeps_its_description(case: Any, served: Served) -> None:
    token = METRICS_TOKEN if case.path == "/metrics" else served.key
    case.call_and_validate(headers={"authorization": f"Bearer {token}"}, checks=CHECKS)
