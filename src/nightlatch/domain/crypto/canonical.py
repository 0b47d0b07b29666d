"""One byte string for one JSON value: RFC 8785, so that both sides hash the same details alike."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final, cast

import rfc8785

DEEPEST: Final = 64
"""Levels of lists and objects. How deep Python itself goes depends on who calls, and both sides must agree."""


class NotCanonical(ValueError):
    """The value has no canonical form: an integer beyond 2^53, a number that is none, a lone surrogate, no JSON; or
    none here, because it is nested too deeply. The text is for whoever sent it.
    """


def canonical(value: Any) -> bytes:
    """A JSON value in its canonical form, UTF-8. Raises ``NotCanonical``."""
    if _is_deeper(value, DEEPEST):
        raise NotCanonical(f"At most {DEEPEST} levels of lists and objects.")
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        raise NotCanonical("Integers beyond 2^53 have no canonical JSON form (RFC 8785): write them as text.") from None


def action_hash(details: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical ``action_details``, in unpadded base64url. Raises ``NotCanonical``."""
    digest = hashlib.sha256(canonical(cast("dict[str, Any]", details))).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _is_deeper(value: Any, most: int) -> bool:
    """Level by level, for recursion would fail on what this is to find."""
    level = [value]
    for _ in range(most + 1):
        inner = (
            one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list | tuple)
        )
        level = [value for values in inner for value in values]
    return bool(level)
