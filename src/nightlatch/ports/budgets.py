"""Caps that all nodes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``limit`` of ``key`` within each window (µs). ``shared``: taken in blocks by workers,
    since many people draw on it; a block that a dead worker held is lost, never granted twice.
    """

    key: str
    limit: int
    window: int
    shared: bool = False


class Budgets(Protocol):
    """Reserved before anything is decided to be sent; what is reserved and not sent stays used."""

    async def reserve(self, caps: Sequence[Cap]) -> Cap | None:
        """Take one of each, or none of any; the first cap that is used up."""
        ...

    async def full(self, caps: Sequence[Cap]) -> Cap | None:
        """The first cap of which nothing is left; nothing is taken of any."""
        ...

    async def used(self, caps: Sequence[Cap]) -> Sequence[int]:
        """How much of each is taken in its present window, blocks included."""
        ...
