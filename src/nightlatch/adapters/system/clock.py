"""The server's clock: the only place that asks the machine for the time."""

from __future__ import annotations

import time


class SystemClock:
    """The wall clock, since codes and expiries are about wall time (T10)."""

    def now(self) -> int:
        """The instant, in µs since the epoch, UTC."""
        return time.time_ns() // 1000
