"""Every record type comes back from each database as it went in, its optional fields set or not."""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.read import fetch, pick
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.tables import TABLES
from nightlatch.domain.records import Address, Record
from nightlatch.ports.store import Change, Outcome

SAMPLES: dict[Any, Any] = {
    str: "Zoë \"' \\ ; -- 😀\n",
    int: -(2**63),
    bool: True,
    bytes: bytes(range(256)),
    tuple[str, ...]: ("a", "ü\x01"),
    tuple[Address, ...]: (Address("a@b.example", 5), Address("c@d.example")),
    dict[str, Any]: {"a": [1, 2.5, None, {"b": "ü"}]},
    list[dict[str, Any]]: [{"code": "x"}, {}],
}


def sample(annotation: Any, *, full: bool) -> Any:
    """A value of this type; None where it may be and ``full`` is not asked for."""
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [each for each in get_args(annotation) if each is not types.NoneType]
        return sample(inner[0], full=full) if full else None
    if get_origin(annotation) is Literal:
        return get_args(annotation)[-1]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return list(annotation)[-1]
    return SAMPLES[annotation]


@pytest.mark.parametrize("full", [True, False], ids=["full", "sparse"])
@pytest.mark.parametrize("record", list(TABLES), ids=lambda record: record.__name__)
async def test_a_record_comes_back_as_it_went_in(
    store: SqlStore, database: Database, record: type[Record], full: bool
) -> None:
    """Put, read, put again over it, read."""
    hints = get_type_hints(record)
    made = record(**{name: sample(hints[name], full=full) for name in record.__struct_fields__})
    parts = {"events": (made,)} if record.__name__ == "Event" else {"puts": (made,)}

    assert await store.commit(Change(root="r", expected=0, **parts)) is Outcome.APPLIED  # type: ignore[arg-type]
    assert await database.read(lambda connection: fetch(connection, record, pick(record))) == [made]
    if "puts" in parts:
        assert await store.commit(Change(root="r", expected=1, puts=(made,))) is Outcome.APPLIED
        assert await database.read(lambda connection: fetch(connection, record, pick(record))) == [made]
