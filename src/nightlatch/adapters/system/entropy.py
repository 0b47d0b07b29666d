"""The server's dice: the kernel's generator and nothing else."""

from __future__ import annotations

import os


class SystemEntropy:
    """``getrandom(2)`` through ``os.urandom``; blocks until the kernel's pool is ready."""

    def bytes(self, count: int) -> bytes:
        """So many unpredictable bytes."""
        return os.urandom(count)
