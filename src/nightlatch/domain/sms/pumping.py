"""Who asks for texts and never types the code is paid for the texts: a range whose codes are not proved is paused."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nightlatch.domain.time import HOUR, MINUTE

WINDOW = 1 * HOUR
SETTLING = 6 * MINUTE
"""A code lives five minutes: only then is it known that nobody typed it."""

ENOUGH = 20
"""Texts before a ratio means anything."""

LEAST_RATIO = 0.2
"""People type most of the codes that they ask for."""

PAUSE = 1 * HOUR


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Texts to one prefix in a while, and how many of their codes were proved. Known numbers are not counted."""

    prefix: str
    sent: int
    verified: int


def suspicious(tallies: Sequence[Tally], *, enough: int = ENOUGH, least: float = LEAST_RATIO) -> list[Tally]:
    """The prefixes whose texts look as if they were sent for their price."""
    return [tally for tally in tallies if tally.sent >= enough and tally.verified < least * tally.sent]
