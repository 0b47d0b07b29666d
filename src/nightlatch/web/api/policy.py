"""The operator's policy: read, replace, check, and the versions before."""

from __future__ import annotations

import re

import msgspec

from nightlatch.app.messages import Page, PolicyAnswer
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.policy.check import PolicyCheck
from nightlatch.app.policy.check import check_policy as check
from nightlatch.app.policy.read import list_policy_versions as list_
from nightlatch.app.policy.read import read_policy
from nightlatch.domain.errors import NotFound, PreconditionFailed
from nightlatch.web.common.body import JSON
from nightlatch.web.common.endpoint import Call, Endpoints, Reply, Text
from nightlatch.web.common.negotiation import chosen
from nightlatch.web.common.problems import Malformed, NotAcceptable, PreconditionRequired
from nightlatch.web.common.query import PageQuery

endpoints = Endpoints("Policy")

YAML = "application/yaml"
DOCUMENT_LIMIT = 256 * 1024
OFFERS = (JSON, YAML)
EXAMPLE = {"mfa_enforcement": {"all_users": True, "grace_period": "30_days"}}

_ETAG = re.compile(r'"(\d{1,9})"')
_VERSION = re.compile(r"\d{1,9}")


@endpoints.get("/v1/policy", scope="policy:read", offers=OFFERS, refusals=(NotAcceptable,))
async def get_policy(call: Call) -> Reply[PolicyAnswer]:
    """Read the policy in force.

    With `Accept: application/yaml` the document as it was written. The `ETag` is for `If-Match`. Version 0 is the
    built-in default.
    """
    return _reply(call, await read_policy(call.ports, call.caller))


@endpoints.put(
    "/v1/policy",
    scope="policy:write",
    accepts=(YAML, JSON),
    body_limit=DOCUMENT_LIMIT,
    headers={"If-Match": "The ETag of the version that this replaces."},
    refusals=(PreconditionFailed, PreconditionRequired),
    example=EXAMPLE,
)
async def replace_policy(call: Call, body: Text) -> Reply[PolicyAnswer]:
    """Replace the policy.

    The document as YAML, or as a JSON object. A bad one never replaces a good one: every problem comes back with
    line, column and the nearest valid word. `weakens` lists what is weaker than before.
    """
    expected = _expected_version(call)
    applied = await apply_policy(call.ports, call.caller, _document(body), expected)
    return Reply(applied, headers=(_etag(applied),))


@endpoints.get("/v1/policy/versions", scope="policy:read")
async def list_policy_versions(call: Call, query: PageQuery) -> Page[PolicyAnswer]:
    """List the versions that were applied.

    Newest first.
    """
    return await list_(call.ports, call.caller, query.cursor, query.limit)


@endpoints.get("/v1/policy/versions/{version}", scope="policy:read", offers=OFFERS, refusals=(NotAcceptable,))
async def get_policy_version(call: Call, version: str) -> Reply[PolicyAnswer]:
    """Read one version of the policy."""
    if not _VERSION.fullmatch(version):
        raise NotFound("There is no such version of the policy.")
    return _reply(call, await read_policy(call.ports, call.caller, int(version)))


@endpoints.post(
    "/v1/policy/check", scope="policy:read", accepts=(YAML, JSON), body_limit=DOCUMENT_LIMIT, example=EXAMPLE
)
async def check_policy(call: Call, body: Text) -> PolicyCheck:
    """Check a document without applying it.

    Tells what would be weaker than what is in force, and what to think about.
    """
    return await check(call.ports, _document(body))


def _reply(call: Call, policy: PolicyAnswer) -> Reply[PolicyAnswer]:
    vary = (b"vary", b"accept")
    if chosen(call.header("accept"), OFFERS) == YAML:
        return Reply(policy.document.encode(), (_etag(policy), vary), media_type=YAML)
    return Reply(policy, (_etag(policy), vary))


def _etag(policy: PolicyAnswer) -> tuple[bytes, bytes]:
    return b"etag", b'"%d"' % policy.version


def _expected_version(call: Call) -> int | None:
    """The version in ``If-Match``; ``*`` is whichever is in force. Raises ``PreconditionRequired``."""
    given = call.header("if-match")
    if given is None:
        raise PreconditionRequired
    if given == "*":
        return None
    found = _ETAG.fullmatch(given)
    if found is None:
        raise PreconditionFailed
    return int(found[1])


def _document(body: Text) -> str:
    """The text of the document. JSON is YAML too, and is read as such once it is known to be JSON."""
    if body.media_type == JSON:
        try:
            msgspec.json.decode(body.text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Malformed(f"The body is not valid JSON: {error}.", code="malformed_json") from error
    return body.text
