"""What is known of the texts that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from nightlatch.domain.records import SmsPause
from nightlatch.domain.sms.pumping import Tally


class TextFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Texts to one prefix through one gateway in a while, by what became of them.

    ``handed_over``: a gateway took it, delivered or not. ``latency``: mean µs until the receipt, None without any.
    """

    country: str
    prefix: str
    gateway: str | None
    asked: int
    handed_over: int
    delivered: int
    failed: int
    verified: int
    latency: int | None


class TextRecords(Protocol):
    """Instants in µs."""

    async def pause(self, prefix: str) -> SmsPause | None:
        """The pause of a prefix, over or not."""
        ...

    async def pauses(self) -> Sequence[SmsPause]: ...

    async def tallies(self, since: int, until: int) -> Sequence[Tally]:
        """What was asked for by numbers that are not known yet, by prefix."""
        ...

    async def figures(self, since: int, until: int) -> Sequence[TextFigures]: ...

    async def only_by_text(self) -> tuple[int, int]:
        """How many people have no way to sign in but texts (and backup codes), and how many have any way."""
        ...

    async def version(self) -> int:
        """The version of the root of all pauses."""
        ...
