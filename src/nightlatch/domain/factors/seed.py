"""Secrets of one-time-password factors, as bytes and as the Base32 that people copy."""

from __future__ import annotations

import base64
import binascii
import re

SECRET_BYTES = 20
"""Length of the secrets that we make: 160 bits, as RFC 4226 §4 R6 recommends."""

SHORTEST_SECRET_BYTES = 16
"""The least that is accepted from elsewhere: 128 bits, RFC 4226 §4 R6."""

LONGEST_SECRET_BYTES = 128
"""The block size of SHA-512: HMAC hashes a longer key down (RFC 2104 §2), so that more would gain nothing."""

_SEPARATORS = re.compile(r"[\s\-]+")
_BASE32 = re.compile(r"[A-Za-z2-7]*")
_LONGEST_TEXT = 1024


class InvalidSecret(ValueError):
    """Why a secret was refused: ``code`` is ``bad_base32``, ``too_short`` or ``too_long``.

    ``detail`` is a sentence for whoever pasted it, and never holds a part of the secret.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def secret_from(entropy: bytes) -> str:
    """Turn 20 random bytes into a new secret, in unpadded Base32.

    RFC 6238 §5.1 wants the key as long as the hash, so 32 bytes for SHA-256 and 64 for SHA-512 are taken too. The
    bytes must come from a cryptographically secure source. Raises ``InvalidSecret`` below 20 bytes: what we make is
    never shorter, although what others made may be.
    """
    if len(entropy) < SECRET_BYTES:
        raise InvalidSecret("too_short", f"A new secret needs {SECRET_BYTES} random bytes.")
    return encode_secret(entropy)


def encode_secret(secret: bytes) -> str:
    """Write a secret as unpadded Base32 (RFC 4648 §6). Raises ``InvalidSecret`` for a length that is refused."""
    return base64.b32encode(checked(secret)).decode("ascii").rstrip("=")


def decode_secret(text: str) -> bytes:
    """Read a Base32 secret in any case, with or without spaces, hyphens and padding.

    Raises ``InvalidSecret`` when it is no Base32, has under 16 bytes (RFC 4226 §4 R6) or over 128.
    """
    if len(text) > _LONGEST_TEXT:
        raise InvalidSecret("too_long", f"The secret is longer than {LONGEST_SECRET_BYTES} bytes.")
    bare = _SEPARATORS.sub("", text).rstrip("=")
    if _BASE32.fullmatch(bare) is None:
        raise InvalidSecret("bad_base32", "The secret may hold the letters A to Z and the digits 2 to 7 only.")
    try:
        secret = base64.b32decode(bare.upper() + "=" * (-len(bare) % 8))
    except binascii.Error:
        raise InvalidSecret("bad_base32", "The secret is cut off: no Base32 text has this length.") from None
    return checked(secret)


def checked(secret: bytes) -> bytes:
    """The secret itself, if its length is accepted. Raises ``InvalidSecret``."""
    if len(secret) < SHORTEST_SECRET_BYTES:
        raise InvalidSecret(
            "too_short", f"The secret has {len(secret)} bytes; at least {SHORTEST_SECRET_BYTES} are needed (RFC 4226)."
        )
    if len(secret) > LONGEST_SECRET_BYTES:
        raise InvalidSecret("too_long", f"The secret is longer than {LONGEST_SECRET_BYTES} bytes.")
    return secret
