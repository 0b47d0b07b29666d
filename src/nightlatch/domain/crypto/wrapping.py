"""Data keys under a key-encryption key: the same seal, at a place of their own."""

from __future__ import annotations

from collections.abc import Mapping

from nightlatch.domain.crypto.sealing import KEY_BYTES, Place, SealBroken, open_, seal


def wrap(kek: bytes, kek_id: str, data_key: bytes, *, key_id: str, nonce: bytes) -> bytes:
    """Wrap a 32-byte data key, bound to its own id, under a 32-byte key-encryption key with a fresh 12-byte nonce.

    Raises ``ValueError`` for a key or nonce of the wrong length.
    """
    if len(data_key) != KEY_BYTES:
        raise ValueError(f"a data key has {KEY_BYTES} bytes")
    return seal(kek, kek_id, data_key, aad=_place(key_id), nonce=nonce)


def unwrap(keks: Mapping[str, bytes], wrapped: bytes, *, key_id: str) -> bytes:
    """The data key, by the key-encryption key that the value names.

    Raises ``UnknownKey`` when that one is not at hand and ``SealBroken`` when the value is not the wrapped key of
    this id.
    """
    data_key = open_(keks, wrapped, _place(key_id))
    if len(data_key) != KEY_BYTES:
        raise SealBroken("what was wrapped is no data key")
    return data_key


def _place(key_id: str) -> Place:
    return Place("data_keys", key_id, "", "wrapped")
