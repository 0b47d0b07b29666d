"""How many requests wait: of each thing a few, and in all no more than a process can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from nightlatch.domain.errors import Throttled

MOST_OF_ONE = 4
"""Requests that wait for one sign-in, phone or page. Its browser and its application need one each."""

MOST = 4096
"""Requests that wait in one process, each with a connection and a few kilobytes."""

COME_BACK = 5


class Waiters:
    """Those of one process, counted while they wait."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._of: Counter[str] = Counter()
        self._all = 0

    @property
    def count(self) -> int:
        """How many wait now."""
        return self._all

    @contextmanager
    def place(self, name: str) -> Iterator[bool]:
        """Whether there is a place to wait for this; it is free again at the end.

        Raises ``Throttled`` where the process is full.
        """
        if self._of.get(name, 0) >= MOST_OF_ONE:
            yield False
            return
        if self._all >= self._most:
            raise Throttled("Too many requests wait here. Ask again without waiting.", retry_after=COME_BACK)
        self._of[name] += 1
        self._all += 1
        try:
            yield True
        finally:
            self._all -= 1
            self._of[name] -= 1
            if not self._of[name]:
                del self._of[name]
