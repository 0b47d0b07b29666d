"""Several fields as one byte string, so that no two lists of fields give the same bytes.

Joining by a separator lets ``("a:b", "c")`` pass for ``("a", "b:c")``; a length before each field does not.
"""

from __future__ import annotations


def encode_fields(purpose: str, *fields: str | bytes) -> bytes:
    """Encode a purpose and its fields: each as four bytes of length, then itself (text in UTF-8).

    The purpose keeps a MAC or seal made for one thing from passing for another under the same key.
    """
    parts = [len(fields).to_bytes(4, "big")]
    for field in (purpose, *fields):
        # Lone surrogates have no UTF-8; what cannot be encoded must not be authenticated as something else.
        raw = field.encode("utf-8") if isinstance(field, str) else field
        parts += (len(raw).to_bytes(4, "big"), raw)
    return b"".join(parts)
