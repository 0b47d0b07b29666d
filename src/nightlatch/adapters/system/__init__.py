"""The machine's own clock and random source."""

from nightlatch.adapters.system.clock import SystemClock
from nightlatch.adapters.system.entropy import SystemEntropy

__all__ = ["SystemClock", "SystemEntropy"]
