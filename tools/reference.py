"""Write docs/reference from the code: settings, error codes, events, commands, the HTTP API (`make docs`).

`python tools/reference.py` writes the pages; `python tools/reference.py --check` says which are out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nightlatch.app.event_types import EVENT_TYPES
from nightlatch.cli.main import root
from nightlatch.config import gateway_reference, reference
from nightlatch.web.app import endpoints_of
from nightlatch.web.common.error_codes import ERROR_CODES
from nightlatch.web.common.metrics import Metrics
from nightlatch.web.settings import WebSettings

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
MADE = "<!-- Made from the code by tools/reference.py. Change it there, then run: make docs -->"
PUBLIC_URL = "http://localhost:8080"

Json = dict[str, Any]


def pages() -> dict[str, str]:
    """The text of every page, by its name."""
    _, described = endpoints_of(WebSettings(public_url=PUBLIC_URL), Metrics())
    made = {
        "settings.md": settings(),
        "error-codes.md": error_codes(),
        "events.md": events(),
        "cli.md": commands(),
        "http-api.md": http_api(described),
    }
    return {name: f"{MADE}\n\n{text.strip()}\n" for name, text in made.items()}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def settings() -> str:
    """Every setting, its variable, default and meaning."""
    rows = [
        (f"`{one.name}`", f"`{one.environment}`", f"`{one.default}`" if one.default else "", one.description)
        for one in reference()
    ]
    return f"""# Settings

`nightlatch.toml` is read first, then `NIGHTLATCH_*` variables, then flags; what is later wins. The file is the one
that `--config` or `NIGHTLATCH_CONFIG` names, else `./nightlatch.toml`, else `/etc/nightlatch/nightlatch.toml`. A dot
is a section of the file: `brand.name` is `name` under `[brand]`. Relative paths start at the file's own directory, and
at the current one for variables and flags. Lists in variables are separated by commas.

An unknown setting stops the start, with its name, its line and the nearest one that exists.

{table(("setting", "variable", "default", "meaning"), rows)}

{gateways()}
"""


def gateways() -> str:
    """The options of SMS gateways, by kind."""
    parts = [
        """## SMS gateways

Each is a table with a name of your own, `[sms.gateways.NAME]`, and its `kind`. They are tried in the order of the
file. Every option may come from the variable `NIGHTLATCH_SMS__NAME__OPTION`; secrets come from there or from the file
that `OPTION_file` names, and never stand in `nightlatch.toml`. [Send texts](../how-to/send-texts.md) shows each."""
    ]
    for kind, options in gateway_reference().items():
        rows = [(f"`{one.name}`", f"`{one.default}`" if one.default else "", one.description) for one in options]
        parts.append(f"### {kind}\n\n{table(('option', 'default', 'meaning'), rows)}")
    return "\n\n".join(parts)


def error_codes() -> str:
    """Every code that a problem document may carry."""
    parts = [
        """# Error codes

Refusals of the API are problem documents (RFC 9457, `application/problem+json`). `code` is stable and is what programs
should look at; `detail` is a sentence for the person who reads the log; `errors` names every bad field with `pointer`,
`code`, `detail` and, where there is one, the `nearest` valid word. `Retry-After` is in whole seconds."""
    ]
    for code, known in ERROR_CODES.items():
        parts.append(f"## {code}\n\n{known.status} · {known.title}. {known.remedy}")
    return "\n\n".join(parts)


def events() -> str:
    """Every type of audit event."""
    rows = [(f"`{name}`", meaning) for name, meaning in EVENT_TYPES.items()]
    return f"""# Audit events

`nightlatch audit export` prints them as JSON lines, and `GET /v1/audit/events` pages through them, both in the order of
`seq`, which has no gaps. Each holds `at`, `type`, `actor` (`application:app_…`, `person:usr_…`, `operator:cli:NAME` or
`system`), the ids of user, application, authentication and factor, `outcome`, `reason` and `data`. `personal` (address,
browser, user name) is sealed under the user's own key, and null once the user was deleted.

Types are added and never changed.

{table(("type", "what happened"), rows)}
"""


def commands() -> str:
    """The command line as it describes itself."""
    text = root().generate_docs(output_format="markdown", recursive=True)
    return text.replace("# nightlatch\n", "# Commands\n", 1) + _EXIT_CODES


_EXIT_CODES = """
## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | refused, or a check found problems |
| 2 | the command line or the settings are wrong |
| 3 | the database or the keys cannot be used |
| 130 | interrupted |
"""


def http_api(described: Mapping[str, Any]) -> str:
    """Every route with its scope, parameters and bodies, from the OpenAPI document."""
    parts = [_ABOUT]
    for tag in described["tags"]:
        parts.append(f"## {tag['name']}")
        parts += [
            _operation(method, path, operation)
            for path, operations in described["paths"].items()
            for method, operation in operations.items()
            if operation["tags"] == [tag["name"]]
        ]
    parts.append("## Bodies")
    parts += [_schema(name, schema) for name, schema in sorted(described["components"]["schemas"].items())]
    return "\n\n".join(parts)


_ABOUT = """# HTTP API

A running server shows the same at `/docs`, with calls to copy, and as OpenAPI 3.1 at `/openapi.json`. JSON in and out;
times are RFC 3339 in UTC; an unknown field or query parameter is refused. Send the key as `Authorization: Bearer nlk_…`;
a route's scope stands beside it, and `admin` holds all of them. Refusals are [problem documents](error-codes.md), and
every answer has a `Request-Id`.

Routes marked *idempotent* take an `Idempotency-Key`: the same key with the same body gets the same answer for 24 hours.
An answer that holds a secret is never stored; its repeat is refused with `already_created`, and the id of what was made."""


def _operation(method: str, path: str, operation: Json) -> str:
    scope = operation.get("x-scope")
    marks = [f"Scope `{scope}`" if scope else "Open to everybody"]
    parameters = operation["parameters"]
    if any(one["name"] == "Idempotency-Key" for one in parameters):
        marks.append("idempotent")
    lines = [f"### {method.upper()} {path}", f"{operation['summary']}. {operation.get('description', '')}".strip()]
    lines.append(" · ".join([*marks, *_bodies(operation)]))
    rows = [
        (f"`{one['name']}`", one["in"], _type(one["schema"]), one.get("description", ""))
        for one in parameters
        if one["in"] == "query" or (one["in"] == "header" and one["required"])
    ]
    if rows:
        lines.append(table(("parameter", "in", "type", ""), rows))
    return "\n\n".join(lines)


def _bodies(operation: Json) -> Iterator[str]:
    taken = operation.get("requestBody", {}).get("content", {})
    named = {_type(media["schema"]) for media in taken.values()} - {"object"}
    if named:
        yield f"takes {', '.join(sorted(named))}"
    status, answered = next(iter(operation["responses"].items()))
    given = {_type(media["schema"]) for media in answered.get("content", {}).values()} - {"object"}
    yield f"answers {status}" + (f" with {', '.join(sorted(given))}" if given else "")


def _schema(name: str, schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (f"`{field}`", _type(one), "required" if field in required else _default(one), one.get("description", ""))
        for field, one in schema.get("properties", {}).items()
    ]
    lines = [f"### {name}"]
    if "description" in schema:
        lines.append(schema["description"])
    if "enum" in schema:
        lines.append("One of " + ", ".join(f"`{word}`" for word in schema["enum"]) + ".")
    if rows:
        lines.append(table(("field", "type", "", ""), rows))
    return "\n\n".join(lines)


def _default(schema: Json) -> str:
    if "default" not in schema or schema["default"] is None:
        return ""
    value = schema["default"]
    return f"default `{str(value).lower() if isinstance(value, bool) else value or '[]'}`"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{''.join(one for one in name.lower() if one.isalnum() or one in '_-')})"
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"] if word is not None)
    if choices := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_type(choice) for choice in choices))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    told = str(schema.get("type", "any"))
    if "minimum" in schema and "maximum" in schema:
        told += f" {schema['minimum']} to {schema['maximum']}"
    return f"{told} ({schema['format']})" if "format" in schema else told


def main(arguments: Sequence[str]) -> int:
    """Write, or check. The answer is the exit code."""
    stale = [name for name, text in pages().items() if _kept(name) != text]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} is out of date: make docs", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(pages()[name], "utf-8")
        print(f"docs/reference/{name}")
    return 0


def _kept(name: str) -> str:
    path = FOLDER / name
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
