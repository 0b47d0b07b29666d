"""How one-time passwords are made: what an enrolment fixes and both sides must know."""

from __future__ import annotations

from typing import Literal

import msgspec

Algorithm = Literal["SHA1", "SHA256", "SHA512"]
Digits = Literal[6, 7, 8]

PERIOD = 30
"""Seconds in a time step (RFC 6238 §5.2)."""

MAX_PERIOD = 120
"""The longest step, in seconds: a time-based code must change every two minutes (NIST SP 800-63B-4 §3.1.4.1)."""


class TotpParameters(msgspec.Struct, frozen=True):
    """How codes are made. ``period`` is in seconds, 1 to 120. Raises ``ValueError`` for values that are refused."""

    algorithm: Algorithm = "SHA1"
    digits: Digits = 6
    period: int = PERIOD

    def __post_init__(self) -> None:
        if self.algorithm not in ("SHA1", "SHA256", "SHA512"):
            raise ValueError("algorithm must be SHA1, SHA256 or SHA512")
        if self.digits not in (6, 7, 8):
            raise ValueError("digits must be 6, 7 or 8")
        if not 1 <= self.period <= MAX_PERIOD:
            raise ValueError(f"period must be 1 to {MAX_PERIOD} seconds")


DEFAULT = TotpParameters()
"""What every authenticator app understands; some ignore anything else."""
