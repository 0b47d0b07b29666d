"""The reference of the API for people: the OpenAPI document, with a call to copy for each operation."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nightlatch.web.common.error_codes import ERROR_CODES

Schema = Mapping[str, Any]

ID_BODY = "018f6b1c2d3e7a4b8c5d6e7f80910203"
EXAMPLES = {
    "user": "maya",
    "factor": f"fac_{ID_BODY}",
    "authentication": f"atn_{ID_BODY}",
    "challenge": f"chl_{ID_BODY}",
    "device": f"dev_{ID_BODY}",
    "gateway": "twilio",
    "version": "1",
}
KEY_VARIABLE = "API_KEY"
SECRET_METRICS = "NIGHTLATCH_METRICS_TOKEN"  # noqa: S105  # the name of a variable
LONGEST_LINE = 60

_PAGE = re.compile(r"^Page_(\w+)_$")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body. ``where`` is ``path``, ``query``, ``header`` or ``body``."""

    name: str
    where: str
    type: str
    required: bool
    about: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, with calls to copy."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    scope: str | None
    fields: tuple[Field, ...]
    status: str
    answer: str | None
    refusals: tuple[str, ...]
    curl: str
    python: str


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one resource."""

    name: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """One error code."""

    code: str
    status: int
    title: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Everything that the pages of the documentation show."""

    about: str
    groups: tuple[Group, ...]
    errors: tuple[ErrorPage, ...]


def reference(document: Schema) -> Reference:
    """Made from the document that is served, so that it says nothing else."""
    schemas = document["components"]["schemas"]
    address = document["servers"][0]["url"]
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            made = _operation(method.upper(), path, operation, schemas, address)
            found[operation["tags"][0]].append(made)
    groups = tuple(Group(name, tuple(operations)) for name, operations in found.items())
    errors = tuple(ErrorPage(code, *known) for code, known in ERROR_CODES.items())
    return Reference(document["info"]["description"], groups, errors)


def _operation(method: str, path: str, operation: Schema, schemas: Schema, address: str) -> Operation:
    status, answered = next(iter(operation["responses"].items()))
    call = _call(method, path, operation, address)
    return Operation(
        id=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        about=operation.get("description", ""),
        scope=operation.get("x-scope"),
        fields=tuple(_fields(operation, schemas)),
        status=f"{status} {answered['description']}",
        answer=_answer(answered),
        refusals=tuple(code for code in operation["responses"] if code != status),
        curl=_curl(call),
        python=_python(call),
    )


def _answer(answered: Schema) -> str | None:
    content = answered.get("content", {}).get("application/json", {}).get("schema", {})
    return _PAGE.sub(r"page of \1", content["$ref"].rpartition("/")[2]) if "$ref" in content else None


def _fields(operation: Schema, schemas: Schema) -> Iterator[Field]:
    for item in operation["parameters"]:
        yield Field(
            item["name"], item["in"], _type_of(item["schema"], schemas), item["required"], item.get("description", "")
        )
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in content:
        schema = schemas[content["$ref"].rpartition("/")[2]]
        for name, field in schema["properties"].items():
            yield Field(name, "body", _type_of(field, schemas), name in schema.get("required", ()))


def _type_of(schema: Schema, schemas: Schema) -> str:
    """A schema in a few words, such as ``list of string`` or ``pwd | none``."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _type_of(schemas[name], schemas) if "enum" in schemas[name] else name
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(_type_of(part, schemas) for part in schema["anyOf"] if part != {"type": "null"})
    if schema.get("type") == "array":
        return f"list of {_type_of(schema['items'], schemas)}"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", "any"))


@dataclass(frozen=True, slots=True)
class _Call:
    """One call in neither language. ``key``: the variable that holds what goes after ``Bearer``."""

    method: str
    address: str
    key: str | None
    headers: tuple[tuple[str, str], ...]
    json: Mapping[str, Any] | None


def _call(method: str, path: str, operation: Schema, address: str) -> _Call:
    signed = any("phone" in way for way in operation["security"])
    key = KEY_VARIABLE if operation["security"] and not signed else None
    headers = [(item["name"], '"1"') for item in operation["parameters"] if item["in"] == "header" and item["required"]]
    if signed:
        headers.append(("Authorization", "Push eyJhbGciOiJFUzI1NiJ9.e30.AA"))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return _Call(
        method,
        address + path.format(**EXAMPLES),
        SECRET_METRICS if path == "/metrics" else key,
        tuple(headers),
        body.get("example"),
    )


def _curl(call: _Call) -> str:
    parts = [f"curl {shlex.quote(call.address)}" if call.method == "GET" else f"curl -X {call.method} {call.address}"]
    if call.key is not None:
        parts.append(f'-H "Authorization: Bearer ${call.key}"')
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in call.headers]
    if call.json is not None:
        parts.append("-H 'Content-Type: application/json'")
        parts.append(f"-d {shlex.quote(_json(call.json))}")
    return " \\\n  ".join(parts)


def _json(body: Mapping[str, Any]) -> str:
    """On one line where that is short."""
    line = json.dumps(body)
    return line if len(line) <= LONGEST_LINE else json.dumps(body, indent=2)


def _python(call: _Call) -> str:
    said = [_literal(call.address)]
    headers = [f"{_literal(name)}: {_literal(value)}" for name, value in call.headers]
    if call.key is not None:
        headers.insert(0, f'"Authorization": f"Bearer {{os.environ[\'{call.key}\']}}"')
    if headers:
        said.append(f"headers={{{', '.join(headers)}}}")
    if call.json is not None:
        said.append(f"json={_literal(call.json)}")
    lines = _block(f"response = httpx.{call.method.lower()}", said)
    imports = ["import os", "", "import httpx", ""] if call.key is not None else ["import httpx", ""]
    return "\n".join([*imports, *lines, "response.raise_for_status()"])


def _literal(value: Any) -> str:
    """A value as Python is usually written: with double quotes."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _block(call: str, arguments: Sequence[str]) -> list[str]:
    if len(arguments) == 1:
        return [f"{call}({arguments[0]})"]
    return [f"{call}(", *(f"    {argument}," for argument in arguments), ")"]
