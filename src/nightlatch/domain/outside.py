"""JSON that others wrote, read into a type. Whatever is wrong with it, there is one error to answer."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Unreadable(ValueError):
    """It is no JSON, not of the type, or nested deeper than anything that is meant to be read."""


def read_json(raw: bytes | str, type_: type[T]) -> T:
    """Raises ``Unreadable``, and nothing else, whatever the bytes."""
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        # Brackets are cheap to send, and a few kilobytes of them are deeper than Python goes.
        raise Unreadable(type(error).__name__) from None


def read_any_json(raw: bytes | str) -> Any:
    """A value of any kind, as plain data. Raises ``Unreadable``."""
    return read_json(raw, object)
