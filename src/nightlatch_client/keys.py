"""The server's public keys, as the application holds them for a while."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

LIFE: Final = 300.0
"""Seconds that a fetched key set is used."""

REFETCH: Final = 5.0
"""Seconds between two fetches for keys that nobody knows, so that junk tokens cost one request and no more."""


class HeldKeys:
    """A key set and when it was fetched. Times are of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._keys: Json | None = None
        self._fetched = 0.0

    def at(self, now: float, *, unknown: bool = False) -> Json | None:
        """The key set if it is to be used as it is; None when it must be fetched.

        ``unknown``: a token named a key that is not in it.
        """
        age = now - self._fetched
        fresh = age < (REFETCH if unknown else LIFE)
        return self._keys if fresh else None

    def keep(self, keys: Json, now: float) -> Json:
        """Hold a key set that was fetched now."""
        self._keys, self._fetched = keys, now
        return keys
