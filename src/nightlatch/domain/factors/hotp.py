"""Counter-based one-time passwords: RFC 4226."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from nightlatch.domain.factors.base import WrongCode, typed_digits
from nightlatch.domain.factors.parameters import Algorithm
from nightlatch.domain.factors.seed import SHORTEST_SECRET_BYTES, checked

LOOK_AHEAD = 10
"""Counters tried beyond the stored one, for button presses that never arrived (RFC 4226 §7.4)."""

RESYNC_WINDOW = 100
"""Counters searched for two codes in a row: wide, since a guess must hit twice (RFC 4226 §7.4, E.4)."""

MAX_LOOK_AHEAD = 1000
"""No window may be wider; every counter in it is one more code that a guess can hit (RFC 4226 §7.3)."""

LAST_COUNTER = 2**63 - 1
"""The moving factor has 8 bytes (RFC 4226 §5.1); what is stored is a signed integer of that size."""

_DIGESTS: dict[str, str] = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}
_MODULUS = {6: 10**6, 7: 10**7, 8: 10**8}


def code_at(secret: bytes, counter: int, digits: int = 6, algorithm: Algorithm = "SHA1") -> str:
    """The code of one counter, with leading zeros (RFC 4226 §5.3)."""
    return f"{truncated(secret, (counter,), digits, algorithm)[0]:0{digits}d}"


def match(secret: bytes, code: str, *, counter: int, look_ahead: int = LOOK_AHEAD, digits: int = 6) -> int:
    """Judge a code; the answer is the counter to store, one past the match (RFC 4226 §7.2).

    ``counter`` is the next one that has not been used, so a used code is a wrong code. Raises ``WrongCode``, and
    ``ValueError`` for a counter or window out of range.
    """
    typed = _typed(code, digits)
    counters = _window(counter, look_ahead)
    found = -1
    # Every candidate is computed and compared, so that time tells nothing about where a match lies. The first match
    # counts: should two counters share a code, taking the later would leave the device behind, where nothing finds it.
    for candidate, value in zip(counters, truncated(secret, counters, digits), strict=True):
        if hmac.compare_digest(value.to_bytes(4, "big"), typed) and found < 0:
            found = candidate
    if found < 0:
        raise WrongCode
    return found + 1


def resynchronise(
    secret: bytes, first: str, second: str, *, counter: int, window: int = RESYNC_WINDOW, digits: int = 6
) -> int:
    """Find a device that ran ahead, by two codes in a row; the answer is the counter to store (RFC 4226 §7.4, E.4).

    One code alone never moves a counter this far: in a window of 100 a single guess would be 100 times as good.
    Raises ``WrongCode``, and ``ValueError`` for a counter or window out of range.
    """
    typed = _typed(first, digits), _typed(second, digits)
    counters = _window(counter, window)
    values = truncated(secret, range(counter, counters.stop + 1), digits)
    found = -1
    for candidate, here, there in zip(counters, values, values[1:], strict=False):
        right = hmac.compare_digest(here.to_bytes(4, "big"), typed[0])
        right &= hmac.compare_digest(there.to_bytes(4, "big"), typed[1])
        if right and found < 0:
            found = candidate
    if found < 0:
        raise WrongCode
    return found + 2


def truncated(secret: bytes, counters: Iterable[int], digits: int, algorithm: Algorithm = "SHA1") -> list[int]:
    """The codes of several counters as numbers (RFC 4226 §5.3); the key is prepared once for all of them.

    Raises ``ValueError`` for a secret, number of digits or algorithm that is refused.
    """
    if len(secret) < SHORTEST_SECRET_BYTES:
        checked(secret)
    if digits not in _MODULUS or algorithm not in _DIGESTS:
        raise ValueError("a code has 6, 7 or 8 digits, made by SHA1, SHA256 or SHA512")
    modulus = _MODULUS[digits]
    # Copying a keyed state skips the two blocks of key padding; no other way that keeps to `hmac` measured faster.
    keyed = hmac.new(secret, digestmod=_DIGESTS[algorithm])
    values = []
    for counter in counters:
        mac = keyed.copy()
        mac.update(counter.to_bytes(8, "big"))
        digest = mac.digest()
        offset = digest[-1] & 0x0F
        values.append((int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF) % modulus)
    return values


def typed_value(code: str, digits: int) -> bytes | None:
    """What was typed as the four bytes that codes are compared by, or None when it has another form.

    Eight digits fit in 30 bits. Comparing equally long bytes keeps ``compare_digest`` constant in time.
    """
    typed = typed_digits(code)
    return int(typed).to_bytes(4, "big") if typed is not None and len(typed) == digits else None


def _typed(code: str, digits: int) -> bytes:
    typed = typed_value(code, digits)
    if typed is None:
        raise WrongCode
    return typed


def _window(counter: int, width: int) -> range:
    if not 0 <= width <= MAX_LOOK_AHEAD:
        raise ValueError(f"a window has 0 to {MAX_LOOK_AHEAD} counters")
    # Room for the two counters that a resynchronisation moves past its match.
    if not 0 <= counter <= LAST_COUNTER - width - 2:
        raise ValueError("the counter is out of range")
    return range(counter, counter + width + 1)
