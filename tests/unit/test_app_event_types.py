"""Every event that is written is in the table, and every one in the table is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import nightlatch
from nightlatch.app.context import SCOPES
from nightlatch.app.event_types import EVENT_TYPES

SOURCES = Path(nightlatch.__file__).parent
GRAMMAR = re.compile(r"[a-z_]+:[a-z_]+")


def written() -> Iterator[str]:
    """All texts in the grammar of events that the use cases name, the table itself aside."""
    for path in sorted((SOURCES / "app").rglob("*.py")):
        if path.name == "event_types.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and GRAMMAR.fullmatch(node.value):
                yield node.value


@pytest.mark.requirement("G1")
def test_the_table_lists_exactly_what_is_written() -> None:
    """The reference is made from it, and alerts rely on it."""
    assert set(written()) - set(SCOPES) == set(EVENT_TYPES)


def test_every_event_is_said_in_a_sentence() -> None:
    """For the reference."""
    for name, sentence in EVENT_TYPES.items():
        assert GRAMMAR.fullmatch(name)
        assert sentence[0].isupper()
        assert sentence.endswith(".")
