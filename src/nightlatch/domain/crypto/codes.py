"""Short-lived codes: made from entropy, kept as an HMAC under a server key, bound to what they are for.

A six-digit code has 20 bits: its plain hash is its plain text to whoever holds the database. Under a key that the
database does not hold, it is not.
"""

from __future__ import annotations

import hmac

from nightlatch.domain.crypto.fields import encode_fields

ENTROPY_BYTES = 16
"""Far more than a code has, so that taking the remainder favours no code by more than 2^-100."""

SHORTEST_KEY_BYTES = 32


def numeric_code(entropy: bytes, digits: int = 6) -> str:
    """A code of 6 to 10 digits from 16 random bytes. Raises ``ValueError`` for fewer bytes or other digits."""
    if len(entropy) < ENTROPY_BYTES:
        raise ValueError(f"a code needs {ENTROPY_BYTES} random bytes")
    if not 6 <= digits <= 10:
        raise ValueError("a code has 6 to 10 digits")
    return f"{int.from_bytes(entropy, 'big') % 10**digits:0{digits}d}"


def code_mac(key: bytes, code: str, *, purpose: str, context: tuple[str, ...]) -> bytes:
    """What is stored of a code: HMAC-SHA-256 over it, its purpose and its context.

    ``context`` names all that the code is good for, such as authentication and factor: with one word changed the
    code is another's. Raises ``ValueError`` for a key under 32 bytes.
    """
    if len(key) < SHORTEST_KEY_BYTES:
        raise ValueError(f"a key has at least {SHORTEST_KEY_BYTES} bytes")
    return hmac.digest(key, encode_fields("nightlatch code", purpose, code, *context), "sha256")


def code_matches(key: bytes, code: str, stored: bytes, *, purpose: str, context: tuple[str, ...]) -> bool:
    """Whether a code is the stored one in this very context, in constant time."""
    return hmac.compare_digest(stored, code_mac(key, code, purpose=purpose, context=context))
