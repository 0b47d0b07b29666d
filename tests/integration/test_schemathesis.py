"""The API does what its own description says, whatever is sent (schemathesis on a real server)."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks

from nightlatch.web.app import endpoints_of
from nightlatch.web.common.endpoint import Endpoint
from nightlatch.web.common.metrics import Metrics
from tests.support.api import CONTEXT, METRICS_TOKEN, SETTINGS, Api, Application, Served, serving_in_thread

OPERATIONS = endpoints_of(SETTINGS, Metrics())[0]
EXAMPLES = 20
UNKNOWN = "00000000000000000000000000000000"
KNOWN: dict[str, list[str]] = {"user": ["maya"], "factor": [], "authentication": [], "device": []}
PREFIX = {"user": "usr_", "factor": "fac_", "authentication": "atn_", "device": "dev_"}

# Not used: positive_data_acceptance, as names, addresses, codes and states have rules that no JSON schema tells;
# ignored_auth, as it repeats the call with the key that we hand over (test_api_scopes.py calls without).
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
def described(served: Served) -> dict[GenerationMode, Any]:
    """The description as it is served; for good input with known things to ask for, which stay there."""
    document = httpx.get(f"{served.url}/openapi.json", timeout=60).json()
    for parameter in parameters_of(document):
        if parameter["name"] == "wait":
            parameter["schema"]["maximum"] = 0
    strict = loaded(copy.deepcopy(document))
    for parameter in parameters_of(document, but=("delete_user", "change_user")):
        name = parameter["name"]
        if parameter["in"] == "path" and name in KNOWN:
            parameter["schema"]["enum"] = [*KNOWN[name], f"{PREFIX[name]}{UNKNOWN}"]
    return {GenerationMode.POSITIVE: loaded(document), GenerationMode.NEGATIVE: strict}


def parameters_of(document: dict[str, Any], but: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        for operation in operations.values():
            if operation["operationId"] not in but:
                yield from operation["parameters"]


def loaded(document: dict[str, Any]) -> Any:
    schema = schemathesis.openapi.from_dict(document)
    # A stale If-Match is a refusal too.
    schema.config.checks.negative_data_rejection.expected_statuses = ["4xx"]
    return schema


@pytest.mark.xdist_group("schemathesis")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
@pytest.mark.parametrize("endpoint", OPERATIONS, ids=lambda endpoint: endpoint.operation_id)
def test_an_operation_keeps_its_description(
    described: dict[GenerationMode, Any], served: Served, endpoint: Endpoint, mode: GenerationMode
) -> None:
    operation = described[mode][endpoint.path][endpoint.method]
    takes_nothing = not operation.query and not operation.headers and not operation.path_parameters
    if mode is GenerationMode.NEGATIVE and takes_nothing and endpoint.body is None:
        return
    token = METRICS_TOKEN if endpoint.path == "/metrics" else served.key

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps(case: Any) -> None:
        case.call_and_validate(base_url=served.url, headers={"authorization": f"Bearer {token}"}, checks=CHECKS)

    keeps()
