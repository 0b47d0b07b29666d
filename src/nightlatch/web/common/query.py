"""Query strings: each parameter known, given once, and of its type."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec

from nightlatch.domain.errors import FieldProblem, Invalid
from nightlatch.web.common.decoding import convert_all
from nightlatch.web.common.problems import Malformed

MOST_PARAMETERS = 32
LARGEST_PAGE = 200

Limit = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_PAGE)]
Cursor = Annotated[str, msgspec.Meta(description="`next_cursor` of the page before.")]


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a query string."""


class NoQuery(Query, frozen=True, kw_only=True):
    """None are accepted."""


class PageQuery(Query, frozen=True, kw_only=True):
    """Which part of a list."""

    cursor: Cursor | None = None
    limit: Limit = 50


def read_query(type_: Any, raw: bytes) -> Any:
    """Raises ``Invalid`` with every parameter that is unknown, repeated or of a wrong form."""
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as error:
        raise Malformed("The query string cannot be read.", code="malformed_query") from error
    values = dict(pairs)
    bad = [
        FieldProblem(f"/{name}", "control_character", "The character U+0000 is not accepted.")
        for name, value in pairs
        if "\0" in name or "\0" in value
    ]
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        bad += [
            FieldProblem(f"/{name}", "repeated_parameter", "Give this parameter once.")
            for name in values
            if names.count(name) > 1
        ]
    if bad:
        raise Invalid(fields=tuple(bad))
    query = convert_all(type_, values)
    # Read leniently, the word null is None, which here only absence may say.
    nulls = [FieldProblem(f"/{name}", "wrong_type", "Leave it out.") for name in values if getattr(query, name) is None]
    if nulls:
        raise Invalid(fields=tuple(nulls))
    return query
