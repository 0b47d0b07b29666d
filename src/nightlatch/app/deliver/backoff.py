"""When a message that could not be sent is tried again.

The waits double, as tenacity's strategy computes them; it keeps no state, so it serves attempts that different
processes make, days apart. The dice are ours: half of each wait is random, so that messages which failed together do
not come back together.
"""

from __future__ import annotations

import msgspec
from tenacity import AsyncRetrying, RetryCallState, wait_exponential

from nightlatch.domain.records import Channel
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.world import Entropy

_RETRYING = AsyncRetrying()
_DICE_BYTES = 4


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Waits (µs) from ``first`` to ``longest``, and how many attempts are made in all."""

    first: int
    longest: int
    attempts: int


SCHEDULES = {
    # Somebody waits at a sign-in page, for as long as the code lives.
    Channel.SMS: Schedule(first=SECOND, longest=20 * SECOND, attempts=80),
    Channel.PUSH: Schedule(first=SECOND, longest=10 * SECOND, attempts=20),
    # Mail servers greylist for minutes, and are down for hours.
    Channel.MAIL: Schedule(first=5 * SECOND, longest=15 * MINUTE, attempts=120),
}


def wait_after(schedule: Schedule, attempts: int, entropy: Entropy) -> int:
    """How long (µs) to wait after so many attempts in vain: half of the doubled wait, and a random part of the rest."""
    wait = wait_exponential(multiplier=schedule.first / SECOND, max=schedule.longest / SECOND)
    made = RetryCallState(_RETRYING, None, (), {})
    made.attempt_number = max(1, attempts)
    full = round(wait(made) * SECOND)
    dice = int.from_bytes(entropy.bytes(_DICE_BYTES), "big") / (1 << 8 * _DICE_BYTES)
    return full // 2 + round(full / 2 * dice)
