"""Identifiers: a type prefix and a UUIDv7 body (RFC 9562 §5.7) as 32 hex digits."""

from __future__ import annotations

import re

USER = "usr"
APPLICATION = "app"
FACTOR = "fac"
AUTHENTICATION = "atn"
CHALLENGE = "chl"
DEVICE = "dev"
RECOVERY = "rec"
EVENT = "evt"
MESSAGE = "msg"

PREFIXES = (USER, APPLICATION, FACTOR, AUTHENTICATION, CHALLENGE, DEVICE, RECOVERY, EVENT, MESSAGE)
ENTROPY_BYTES = 10

_BEGINNINGS = tuple(prefix + "_" for prefix in PREFIXES)
_SHAPE = re.compile(r"(?:{})_[0-9a-f]{{32}}".format("|".join(PREFIXES)))


def new_id(prefix: str, now: int, entropy: bytes) -> str:
    """Make an id from an instant (µs) and ten random bytes, of which 74 bits are used."""
    if len(entropy) < ENTROPY_BYTES:
        raise ValueError("an id needs ten random bytes")
    random = int.from_bytes(entropy[:ENTROPY_BYTES], "big")
    milliseconds = (now // 1000) & ((1 << 48) - 1)
    body = milliseconds << 80
    body |= 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    body |= 0b10 << 62 | (random & ((1 << 62) - 1))
    return f"{prefix}_{body:032x}"


def is_id(text: str, prefix: str | None = None) -> bool:
    """Whether the text has the form of an id, of this type where one is named."""
    return _SHAPE.fullmatch(text) is not None and (prefix is None or text.startswith(prefix + "_"))


def has_id_prefix(text: str) -> bool:
    """Whether a name would be mistaken for an id in a path."""
    return text.lower().startswith(_BEGINNINGS)
