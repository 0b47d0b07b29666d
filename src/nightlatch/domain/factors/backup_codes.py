"""Backup codes: look-up secrets (NIST SP 800-63B-4 §3.1.2) that people keep on paper.

A code is 16 symbols, shown as ``0ABC-DEFG-HJKM-NPQR``. The first tells which row of the set it belongs to and is no
secret; the other 15 are 75 random bits. Because of the first, a guess costs one Argon2 hash and not ten.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from nightlatch.domain.factors.base import Replayed

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's Base32: 32 symbols, no two of which are taken for each other in print."""

SECRET_SYMBOLS: Final = 15
SECRET_BITS: Final = 5 * SECRET_SYMBOLS
"""75, where NIST SP 800-63B-4 §3.1.2.1 lets codes of 64 bits and more be stored by any approved hash."""

COUNT: Final = 10
MAX_COUNT: Final = len(ALPHABET)
"""One row an index symbol."""

ENTROPY_BYTES: Final = 10
"""Random bytes for one code; 75 of the 80 bits are used."""

FEW_LEFT: Final = 3
"""From here down the owner is warned."""

_BLOCK: Final = 4
_LENGTH: Final = 1 + SECRET_SYMBOLS
_LONGEST_TYPED: Final = 64
# What people read or type for a symbol: the letters that the alphabet leaves out.
_LOOK_ALIKES: Final = str.maketrans("OILU", "011V")
_SEPARATORS: Final = re.compile(r"[\s\-_.\u2010-\u2015\u2212]+")
_SHAPE: Final = re.compile(f"[{ALPHABET}]{{{_LENGTH}}}")


class Argon2Parameters(NamedTuple):
    """Cost of Argon2id (RFC 9106): memory in KiB, passes, lanes."""

    memory_kib: int
    passes: int
    lanes: int


ARGON2: Final = Argon2Parameters(memory_kib=19_456, passes=2, lanes=1)
"""OWASP Password Storage Cheat Sheet. Far more than 75 random bits need; it is there for codes from elsewhere."""


class ParsedCode(msgspec.Struct, frozen=True):
    """A code as its parts: ``index`` is the row it names, ``secret`` the text that is hashed."""

    index: int
    secret: str

    def __repr__(self) -> str:
        """Without the secret, which would end in a log."""
        return f"ParsedCode(index={self.index}, secret=…)"


class Picked(NamedTuple):
    """The one row that a code can be in, and that row's hash."""

    row: int
    hash: str


def generate(entropy: bytes, count: int = COUNT) -> list[str]:
    """A set of codes as they are shown, from ten bytes each of a cryptographically secure source.

    Raises ``ValueError`` for a count outside 1 to 32, or other than that many bytes.
    """
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"a set has 1 to {MAX_COUNT} codes")
    if len(entropy) != count * ENTROPY_BYTES:
        raise ValueError(f"{count} codes need {count * ENTROPY_BYTES} random bytes")
    return [_shown(index, entropy[index * ENTROPY_BYTES : (index + 1) * ENTROPY_BYTES]) for index in range(count)]


def normalise(text: str) -> ParsedCode | None:
    """Read what somebody typed: any case, any grouping, look-alikes; None when it has not the form of a code."""
    if len(text) > _LONGEST_TYPED:
        return None
    bare = _SEPARATORS.sub("", text)
    if not bare.isascii():
        return None
    symbols = bare.upper().translate(_LOOK_ALIKES)
    if _SHAPE.fullmatch(symbols) is None:
        return None
    return ParsedCode(ALPHABET.index(symbols[0]), symbols[1:])


def looks_like(text: str) -> bool:
    """Whether a text has the form of a backup code. Nothing of 6 to 8 digits has: the form decides."""
    return normalise(text) is not None


def pick(hashes: Sequence[str], used_mask: int, code: ParsedCode) -> Picked | None:
    """The row that a code must be checked against, or None when the set has no such row: then it is wrong.

    Raises ``Replayed`` for a row that was used, without looking further: no code in it can ever be right again.
    """
    if code.index >= len(hashes):
        return None
    if is_used(used_mask, code.index):
        raise Replayed
    return Picked(code.index, hashes[code.index])


def mark_used(used_mask: int, index: int) -> int:
    """The mask with one more code used. Raises ``Replayed`` when it was used before."""
    if is_used(used_mask, index):
        raise Replayed
    return used_mask | 1 << index


def is_used(used_mask: int, index: int) -> bool:
    """Whether the code of this row was used."""
    return bool(used_mask >> index & 1)


def left(used_mask: int, count: int) -> int:
    """How many codes of a set are unused."""
    return count - (used_mask & (1 << count) - 1).bit_count()


def _shown(index: int, entropy: bytes) -> str:
    bits = int.from_bytes(entropy, "big")
    symbols = ALPHABET[index] + "".join(ALPHABET[bits >> 5 * place & 31] for place in range(SECRET_SYMBOLS))
    return "-".join(symbols[start : start + _BLOCK] for start in range(0, _LENGTH, _BLOCK))
