"""Sealing at rest: AES-256-GCM (NIST SP 800-38D), each value bound to the place where it is kept.

A sealed value is ``version (1) · length of key id (1) · key id · nonce (12) · ciphertext and tag``. Header and
place are the associated data, so a value that was moved to another row, user or column does not open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nightlatch.domain.crypto.fields import encode_fields

VERSION = 1
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class Place(NamedTuple):
    """Where a sealed value is kept: table, row id, user id (or empty), column."""

    table: str
    row: str
    user: str
    column: str


class SealBroken(Exception):
    """A sealed value does not open: it was changed or moved, or is none. It says no more to whoever tampers."""


class UnknownKey(SealBroken):
    """The value names a key, ``key_id``, that is not at hand. Another process may just have made it."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"unknown key {key_id!r}")
        self.key_id = key_id


def seal(key: bytes, key_id: str, plaintext: bytes, *, aad: Place, nonce: bytes) -> bytes:
    """Seal under a 32-byte key with a fresh random 12-byte nonce.

    A nonce must never repeat under one key: random ones keep to that for 2^32 values (NIST SP 800-38D §8.3). Raises
    ``ValueError`` for a key, key id or nonce of the wrong length.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    header = header_of(key_id)
    return header + nonce + AESGCM(key).encrypt(nonce, plaintext, _associated(header, aad))


def open_(keys: Mapping[str, bytes], blob: bytes, aad: Place) -> bytes:
    """Open a sealed value with the key that it names.

    Raises ``UnknownKey`` when that key is not in ``keys``, and ``SealBroken`` for anything else that is not exactly
    what was sealed at this place.
    """
    header, key_id = _header(blob)
    key = keys.get(key_id)
    if key is None:
        raise UnknownKey(key_id)
    nonce, body = blob[len(header) : len(header) + NONCE_BYTES], blob[len(header) + NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, body, _associated(header, aad))
    except InvalidTag:
        raise SealBroken("the sealed value was changed or moved") from None


def header_of(key_id: str) -> bytes:
    """What every value sealed under this key begins with, and no other. Raises ``ValueError`` for no key id."""
    name = key_id.encode("ascii")
    if not 1 <= len(name) <= 255:
        raise ValueError("a key id has 1 to 255 ASCII characters")
    return bytes((VERSION, len(name))) + name


def key_id_of(blob: bytes) -> str:
    """The id of the key that a value was sealed under; not yet authenticated. Raises ``SealBroken``."""
    return _header(blob)[1]


def _header(blob: bytes) -> tuple[bytes, str]:
    if len(blob) < 2 or blob[0] != VERSION:
        raise SealBroken("not a sealed value of a version that is known here")
    end = 2 + blob[1]
    name = blob[2:end]
    if not name or not name.isascii() or len(blob) < end + NONCE_BYTES + TAG_BYTES:
        raise SealBroken("the sealed value is cut off")
    return blob[:end], name.decode("ascii")


def _associated(header: bytes, place: Place) -> bytes:
    return encode_fields("nightlatch sealed value", header, *place)
