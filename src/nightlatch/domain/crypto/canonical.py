"""One byte string for one JSON value: RFC 8785, so that both sides hash the same details alike."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, cast

import rfc8785


class NotCanonical(ValueError):
    """The value has no canonical form: an integer beyond 2^53, a number that is none, a lone surrogate, no JSON."""


def canonical(value: Any) -> bytes:
    """A JSON value in its canonical form, UTF-8. Raises ``NotCanonical``."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise NotCanonical(f"The value has no canonical JSON form: {type(error).__name__}.") from None


def action_hash(details: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical ``action_details``, in unpadded base64url. Raises ``NotCanonical``."""
    digest = hashlib.sha256(canonical(cast("dict[str, Any]", details))).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
