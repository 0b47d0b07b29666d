"""Every code has a page, and every page a code: builders are never left with a bare word."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nightlatch
from nightlatch.domain import errors
from nightlatch.web.common import problems
from nightlatch.web.common.error_codes import ERROR_CODES

SOURCE = Path(nightlatch.__file__).parent
# People's pages have words of their own; what they refuse is no problem document.
PLACES = ("domain/errors.py", "app", "web/api", "web/common")
EXCEPT = ("app/prompt", *(f"app/portal/{name}.py" for name in ("session", "changes", "push", "text")))
ABSTRACT = {"refused"}


def files() -> Iterator[Path]:
    for place in PLACES:
        for path in sorted((SOURCE / place).rglob("*.py")) if (SOURCE / place).is_dir() else [SOURCE / place]:
            if not path.relative_to(SOURCE).as_posix().startswith(EXCEPT):
                yield path


def codes_of_refusals() -> set[str]:
    """Each ``code=`` of a call, and each ``code`` of a class."""
    found = set()
    for path in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                values = [item.value for item in node.keywords if item.arg == "code"]
            elif isinstance(node, ast.ClassDef):
                values = [
                    item.value
                    for item in node.body
                    if isinstance(item, ast.Assign) and any(getattr(name, "id", "") == "code" for name in item.targets)
                ]
            else:
                continue
            found |= {item.value for item in values if isinstance(item, ast.Constant) and isinstance(item.value, str)}
    return found - ABSTRACT


def test_every_code_that_is_raised_has_a_page_and_every_page_is_of_use() -> None:
    assert codes_of_refusals() == set(ERROR_CODES)


def test_kinds_of_refusals_have_the_status_that_their_page_says() -> None:
    for module in (errors, problems):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, errors.Refusal) and kind is not errors.Refusal:
                assert ERROR_CODES[kind.code].status == problems.status_of(kind), kind


def test_titles_and_remedies_are_sentences_for_people() -> None:
    for code, known in ERROR_CODES.items():
        assert known.title[0].isupper(), code
        assert not known.title.endswith("."), code
        assert known.remedy.endswith("."), code
