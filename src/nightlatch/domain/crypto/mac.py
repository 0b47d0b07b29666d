"""A MAC over rows that hold public keys.

Such a row has nothing to hide, but whoever can write to the database could put their own key in it. The MAC binds
user, factor, key and status; the key for it is not in the database.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from nightlatch.domain.crypto.fields import encode_fields

SHORTEST_KEY_BYTES = 32


class MacBroken(Exception):
    """The row was not written by us as it stands."""


class FactorRow(NamedTuple):
    """What the MAC covers. ``public_key`` in the encoding that is stored."""

    user: str
    factor: str
    kind: str
    public_key: bytes
    status: str


def row_mac(key: bytes, row: FactorRow) -> bytes:
    """HMAC-SHA-256 over the row. Raises ``ValueError`` for a key under 32 bytes."""
    if len(key) < SHORTEST_KEY_BYTES:
        raise ValueError(f"a key has at least {SHORTEST_KEY_BYTES} bytes")
    return hmac.digest(key, encode_fields("nightlatch factor row", *row), "sha256")


def check_row(key: bytes, row: FactorRow, stored: bytes) -> None:
    """Return if the MAC is the row's own, compared in constant time; else raise ``MacBroken``."""
    if not hmac.compare_digest(stored, row_mac(key, row)):
        raise MacBroken("the factor's row was changed")
