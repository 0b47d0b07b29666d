"""Codes that a test can tell apart: with six digits, what one expects to be wrong is right now and then."""

from __future__ import annotations

import re
import secrets

from nightlatch.domain.factors import hotp

PRESSES = 400
"""More than anybody presses in a test."""


def distinct_secret() -> bytes:
    """A random secret whose first presses have a code each: a code that is sent again can be no other's."""
    while True:
        secret = secrets.token_bytes(20)
        if len({hotp.code_at(secret, press) for press in range(PRESSES)}) == PRESSES:
            return secret


def shows(text: str, code: str) -> bool:
    """Whether a code stands in a text by itself; six digits of a random id are none."""
    return re.search(rf"(?<![0-9a-fA-F]){re.escape(code)}(?![0-9a-fA-F])", text) is not None
