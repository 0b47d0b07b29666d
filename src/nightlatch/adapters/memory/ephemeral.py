"""The port ``Ephemeral`` in a dictionary, for one process and for tests."""

from __future__ import annotations

from nightlatch.ports.world import Clock


class MemoryEphemeral:
    """See ``ports.ephemeral.Ephemeral``. No call waits for anything, so none can come between."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, int]] = {}
        self._numbers: dict[str, tuple[int, int]] = {}

    async def put(self, key: str, value: bytes, *, ttl: int) -> None:
        """Set, whatever was there."""
        self._forget_expired()
        self._values[key] = (value, self._clock.now() + ttl)

    async def add_if_absent(self, key: str, value: bytes, *, ttl: int) -> bool:
        """Set if nothing is there; of many at once, one gets True."""
        self._forget_expired()
        if key in self._values:
            return False
        self._values[key] = (value, self._clock.now() + ttl)
        return True

    async def take(self, key: str) -> bytes | None:
        """Return and remove."""
        self._forget_expired()
        value, _ = self._values.pop(key, (None, 0))
        return value

    async def increment(self, key: str, *, by: int = 1, ttl: int) -> int:
        """Add and return the sum."""
        self._forget_expired()
        number, until = self._numbers.get(key, (0, self._clock.now() + ttl))
        self._numbers[key] = (number + by, until)
        return number + by

    def _forget_expired(self) -> None:
        now = self._clock.now()
        self._values = {key: kept for key, kept in self._values.items() if kept[1] > now}
        self._numbers = {key: kept for key, kept in self._numbers.items() if kept[1] > now}
