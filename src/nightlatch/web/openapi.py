"""``/openapi.json``: the API as its endpoints describe themselves (OpenAPI 3.1).

Made from the same messages that decode requests, so the document cannot promise another shape.
"""

from __future__ import annotations

import http
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from nightlatch import __version__
from nightlatch.app.context import SCOPES
from nightlatch.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from nightlatch.web.common.body import JSON
from nightlatch.web.common.endpoint import Endpoint, Nothing, Text
from nightlatch.web.common.problems import (
    MEDIA_TYPE,
    Internal,
    Malformed,
    Problem,
    TooLarge,
    TooSlow,
    UnsupportedMediaType,
    status_of,
)

Schema = dict[str, Any]

REF = "#/components/schemas/{name}"
SECURITY_SCHEME = "apiKey"
PHONE_SCHEME = "phone"

# How parts of paths look, where they look alike; a user is an id or a user name.
PATH_PATTERNS = {
    "authentication": "^atn_[0-9a-f]{32}$",
    "challenge": "^chl_[0-9a-f]{32}$",
    "gateway": "^[a-z][a-z0-9_]*$",
    "device": "^dev_[0-9a-f]{32}$",
    "factor": "^fac_[0-9a-f]{32}$",
    "version": "^[0-9]{1,9}$",
}

ABOUT = (
    "Nightlatch asks for the second lock: one call answers `allow`, `challenge`, `enroll` or `deny`, and why. Times are "
    "RFC 3339 in UTC, ids have a type prefix, unknown fields and parameters are refused, and every refusal is a "
    "problem document (RFC 9457) whose `type` opens its page. Each operation needs the one scope in `x-scope`."
)


def document(endpoints: Sequence[Endpoint], public_url: str) -> Schema:
    """The whole document."""
    components = _components(endpoints)
    paths: dict[str, Schema] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Nightlatch",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in endpoints)],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {f"Problem{status}": _problem(status) for status in sorted(_all_statuses(endpoints))},
            "securitySchemes": {
                SECURITY_SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "nlk_…",
                    "description": f"An application's key. Scopes: {', '.join(SCOPES)}.",
                },
                PHONE_SCHEME: {
                    "type": "http",
                    "scheme": "push",
                    "description": "A JWS of the type nightlatch-push-request+jwt by a paired phone, for this one request.",
                },
            },
        },
    }


def refusals_of(endpoint: Endpoint) -> list[type[Refusal]]:
    """Every kind of refusal that this endpoint may answer."""
    kinds: list[type[Refusal]] = [Malformed, Invalid, Throttled, Internal, Unavailable, *endpoint.refusals]
    if endpoint.scope is not None:
        kinds += [Unauthenticated, Forbidden]
    if endpoint.signed:
        kinds += [Unauthenticated]
    if endpoint.path_parameters:
        kinds += [NotFound]
    if endpoint.body is not None:
        kinds += [TooSlow, TooLarge, UnsupportedMediaType]
    if endpoint.creates:
        kinds += [Conflict]
    return kinds


def _components(endpoints: Sequence[Endpoint]) -> dict[str, Schema]:
    types: list[Any] = [Problem]
    for endpoint in endpoints:
        types += [kind for kind in (endpoint.body, endpoint.answer) if _is_message(kind)]
    _, components = msgspec.json.schema_components(dict.fromkeys(types), ref_template=REF)
    for schema in components.values():
        _close(schema)
    return components


def _is_message(kind: Any) -> bool:
    return kind not in (None, Nothing, Text, bytes)


def _close(schema: Schema) -> None:
    """Nothing is in an object that its schema does not name."""
    if schema.get("type") == "object" and "properties" in schema:
        schema["additionalProperties"] = False
    if "description" in schema:
        schema["description"] = re.sub(r"``", "`", schema["description"]).replace("\n", " ")


def _operation(endpoint: Endpoint) -> Schema:
    operation: Schema = {
        "operationId": endpoint.operation_id,
        "tags": [endpoint.tag],
        "summary": endpoint.summary.rstrip("."),
        "parameters": list(_parameters(endpoint)),
        "responses": _responses(endpoint),
        "security": [],
    }
    if endpoint.description:
        operation["description"] = endpoint.description
    if endpoint.scope is not None:
        operation["x-scope"] = endpoint.scope
        operation["security"] = [{SECURITY_SCHEME: [endpoint.scope]}]
    if endpoint.signed:
        operation["security"] = [{PHONE_SCHEME: []}]
    if endpoint.body is not None:
        operation["requestBody"] = _request_body(endpoint)
    return operation


def _parameters(endpoint: Endpoint) -> Iterable[Schema]:
    for name in endpoint.path_parameters:
        form = {"pattern": PATH_PATTERNS[name]} if name in PATH_PATTERNS else {"minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", **form}}
    if endpoint.query is not None:
        _, made = msgspec.json.schema_components([endpoint.query], ref_template=REF)
        for name, schema in made[endpoint.query.__name__]["properties"].items():
            yield {"name": name, "in": "query", "required": False, "schema": _never_null(schema)}
    if endpoint.creates:
        yield _header("Idempotency-Key", "The same key and body give the same answer for 24 hours.", required=False)
    for name, what in endpoint.headers.items():
        yield _header(name, what, required=True)


def _header(name: str, what: str, *, required: bool) -> Schema:
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return {"name": name, "in": "header", "required": required, "description": what, "schema": schema}


def _never_null(schema: Schema) -> Schema:
    """A query string has no null: what may be None may be left out."""
    kept = {key: value for key, value in schema.items() if key != "default" or value is not None}
    choices = [choice for choice in kept.pop("anyOf", []) if choice != {"type": "null"}]
    return {**kept, **choices[0]} if len(choices) == 1 else kept


def _request_body(endpoint: Endpoint) -> Schema:
    if endpoint.body is Text:
        content = {kind: {"schema": _text_schema(kind)} for kind in endpoint.accepts}
        return {"required": True, "content": content | {JSON: {**content[JSON], "example": endpoint.example}}}
    schema: Schema = (
        {"type": "object", "additionalProperties": False} if endpoint.body is Nothing else _ref(endpoint.body)
    )
    media: Schema = {"schema": schema}
    if endpoint.example is not None:
        media["example"] = dict(endpoint.example)
    return {"required": not endpoint.body_optional, "content": dict.fromkeys(endpoint.accepts, media)}


def _responses(endpoint: Endpoint) -> Schema:
    phrase = http.HTTPStatus(endpoint.status).phrase
    answered: Schema = {"description": phrase, "headers": {"Request-Id": {"schema": {"type": "string"}}}}
    if endpoint.answer is not None:
        answered["content"] = {
            kind: {"schema": _ref(endpoint.answer) if kind.endswith("json") else _text_schema(kind)}
            for kind in endpoint.offers
        }
    statuses = sorted({status_of(kind) for kind in refusals_of(endpoint)})
    problems = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}
    return {str(endpoint.status): answered} | problems


def _text_schema(media_type: str) -> Schema:
    return {"type": "object" if media_type.endswith("json") else "string"}


def _ref(kind: Any) -> Schema:
    if kind is bytes:
        return {"type": "object"}
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REF)
    return schema


def _all_statuses(endpoints: Sequence[Endpoint]) -> set[int]:
    return {status_of(kind) for endpoint in endpoints for kind in refusals_of(endpoint)}


def _problem(status: int) -> Schema:
    headers: Schema = {"Request-Id": {"schema": {"type": "string"}}}
    if status in (429, 503):
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "Whole seconds."}
    return {
        "description": http.HTTPStatus(status).phrase,
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(name=Problem.__name__)}}},
    }
