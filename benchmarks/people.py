"""Those who sign in: made-up users whose seeds the benchmark can compute, and codes that nobody used yet."""

from __future__ import annotations

import hashlib
import hmac
import struct
import time
from array import array

PERIOD = 30
TOTP_DIGITS = 6


class People:
    """``count`` users with a TOTP factor each (SHA-1, six digits, 30 s). Not for two threads."""

    def __init__(self, count: int, prefix: str = "bench") -> None:
        self.count = count
        self.prefix = prefix
        self._last = array("q", bytes(8 * count))

    def username(self, number: int) -> str:
        """The name of user 0, 1, …"""
        return f"{self.prefix}-{number:07d}"

    @staticmethod
    def secret(number: int) -> bytes:
        """Twenty bytes."""
        return hashlib.sha256(b"nightlatch benchmark seed %d" % number).digest()[:20]

    def used(self, number: int, step: int) -> None:
        """This user's codes up to this step are spent."""
        self._last[number] = max(self._last[number], step)

    def fresh_codes(self, wanted: int, *, within: float) -> list[tuple[int, str]]:
        """Users with a right code each, which a server with a window of ±1 step accepts for ``within`` seconds.

        No code is given twice, and the codes of a user come in the order of time; of each user the oldest code that
        is good long enough is taken first. Waits for the next step, at most twice, when there are too few.
        """
        for _ in range(3):
            given = self._now_fresh(wanted, within)
            if len(given) >= wanted:
                return given[:wanted]
            time.sleep(PERIOD - time.time() % PERIOD + 0.05)
        raise ValueError(f"{self.count} users have no {wanted} codes that are good for {within} s")

    def _now_fresh(self, wanted: int, within: float) -> list[tuple[int, str]]:
        now = time.time()
        # A code of step s is accepted until the end of step s + 1, and from the beginning of step s - 1.
        first, last = int((now + within) // PERIOD) - 1, int(now // PERIOD) + 1
        free = sum(max(0, last - max(first - 1, used)) for used in self._last)
        if free < wanted:
            return []
        given: list[tuple[int, str]] = []
        for step in range(first, last + 1):
            for number in range(self.count):
                if len(given) == wanted:
                    return given
                if self._last[number] < step:
                    self._last[number] = step
                    given.append((number, code_of(self.secret(number), step)))
        return given


def code_of(secret: bytes, step: int) -> str:
    """RFC 6238 with the usual parameters."""
    digest = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    at = digest[-1] & 15
    value = (struct.unpack_from(">I", digest, at)[0] & 0x7FFFFFFF) % 10**TOTP_DIGITS
    return f"{value:0{TOTP_DIGITS}d}"
