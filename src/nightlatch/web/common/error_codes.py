"""Every error code that an answer can carry: what it means and how to mend it.

The page of a code (``type`` of a problem document) and the reference of errors are made of this.
"""

from __future__ import annotations

from typing import NamedTuple


class ErrorCode(NamedTuple):
    """``status`` is the HTTP status, or None for codes that stand at a field (``errors[].code``)."""

    code: str
    status: int | None
    title: str
    remedy: str


def title_of(code: str) -> str:
    """The title of a code's page; the code in words where it has none."""
    known = ERROR_CODES.get(code)
    return known.title if known else code.replace("_", " ").capitalize()


ERROR_CODES: dict[str, ErrorCode] = {}
