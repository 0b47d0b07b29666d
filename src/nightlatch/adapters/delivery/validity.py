"""How long a gateway may go on trying: a code that comes after its end only confuses (S2)."""

from __future__ import annotations

from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.delivery import Text
from nightlatch.ports.world import Clock


def seconds_left(text: Text, clock: Clock, *, least: int = 1) -> int:
    """Whole seconds until the text's end, rounded up, and not less than ``least``, which is what a gateway can do."""
    return max(least, -((clock.now() - text.expires_at) // SECOND))


def minutes_left(text: Text, clock: Clock) -> int:
    """Whole minutes until the text's end, rounded up, at least one."""
    return max(1, -((clock.now() - text.expires_at) // MINUTE))
