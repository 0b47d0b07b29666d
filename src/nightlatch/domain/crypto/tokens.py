"""Bearer secrets: made from entropy, known afterwards by their SHA-256 alone.

A slow hash would add nothing: nobody guesses 256 random bits.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib

ENTROPY_BYTES = 32
API_KEY_PREFIX = "nlk_"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SYMBOLS = frozenset(_ALPHABET)
_BODY = 43
"""Base62 digits that hold 256 bits."""
_CHECKSUM = 6
"""Base62 digits that hold 32 bits."""
_API_KEY_LENGTH = len(API_KEY_PREFIX) + _BODY + _CHECKSUM


def api_key(entropy: bytes) -> str:
    """An API key from 32 random bytes: ``nlk_``, 43 digits of Base62, and 6 of CRC-32.

    The prefix lets scanners find a leaked key, the checksum lets us refuse a mistyped one without a look-up. Raises
    ``ValueError`` for other than 32 bytes.
    """
    body = API_KEY_PREFIX + _base62(int.from_bytes(_checked(entropy), "big"), _BODY)
    return body + _checksum(body)


def is_api_key(text: str) -> bool:
    """Whether a text has the form and checksum of an API key; whether the key is good, the store knows."""
    if len(text) != _API_KEY_LENGTH or not text.startswith(API_KEY_PREFIX):
        return False
    if not _SYMBOLS.issuperset(text[len(API_KEY_PREFIX) :]):
        return False
    return text[-_CHECKSUM:] == _checksum(text[:-_CHECKSUM])


def ticket_token(entropy: bytes) -> str:
    """A link, session, result code or device token from 32 random bytes: 43 characters, safe in an address.

    Raises ``ValueError`` for other than 32 bytes.
    """
    return base64.urlsafe_b64encode(_checked(entropy)).rstrip(b"=").decode("ascii")


def hash_token(token: str) -> bytes:
    """What is stored of a token: its SHA-256. Any text will do, so that nonsense finds nothing rather than fails."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def same_token(stored_hash: bytes, token: str) -> bool:
    """Whether a token is the one whose hash is stored, in constant time."""
    return hmac.compare_digest(stored_hash, hash_token(token))


def _checked(entropy: bytes) -> bytes:
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a token needs {ENTROPY_BYTES} random bytes")
    return entropy


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CHECKSUM)


def _base62(value: int, length: int) -> str:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
