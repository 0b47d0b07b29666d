"""How many texts may be asked for: by whom, to where, in an hour and in a day (S11).

A cap that many people share is split: numbers that were verified lately may use half of it, so that whoever drains it
with numbers of their own silences nobody whose number is known.
"""

from __future__ import annotations

import msgspec

from nightlatch.domain.time import DAY, HOUR
from nightlatch.ports.budgets import Cap
from nightlatch.ports.texting import SendRequest

BLOCK_DIGITS = 3
"""Numbers that differ in no more than their last digits: whoever buys numbers buys them in a row."""


class Limits(msgspec.Struct, frozen=True):
    """At most so many texts in an hour, and in a day."""

    hour: int
    day: int


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of every cap. ``block``: numbers alike up to their last three digits."""

    user: Limits = Limits(8, 20)
    number: Limits = Limits(8, 20)
    block: Limits = Limits(10, 40)
    prefix: Limits = Limits(200, 1_000)
    country: Limits = Limits(1_000, 5_000)
    application: Limits = Limits(2_000, 10_000)
    all: Limits = Limits(3_000, 15_000)


def caps_for(caps: Caps, request: SendRequest, *, number: str, block: str) -> list[Cap]:
    """Every cap that one text draws on, narrow ones first: a person's own is used up before what others share.

    ``number`` and ``block`` are keyed digests, so that no number stands in the counters.
    """
    own = {f"user:{request.user_id}": caps.user, f"number:{number}": caps.number}
    if not request.trusted:
        own[f"block:{block}"] = caps.block
    shared = {f"prefix:{request.prefix}": caps.prefix, f"country:{request.country}": caps.country}
    if request.application_id:
        shared[f"application:{request.application_id}"] = caps.application
    shared["all"] = caps.all
    drawn = [cap for key, limits in own.items() for cap in _of(key, limits)]
    for key, limits in shared.items():
        if not request.trusted:
            half = Limits(max(1, limits.hour // 2), max(1, limits.day // 2))
            drawn.extend(_of(f"{key}:new", half, shared=True))
        drawn.extend(_of(key, limits, shared=True))
    return drawn


def block_of(e164: str) -> str:
    """What numbers of one block have in common."""
    return e164[:-BLOCK_DIGITS]


def _of(key: str, limits: Limits, *, shared: bool = False) -> list[Cap]:
    return [
        Cap(key=key, limit=limits.hour, window=HOUR, shared=shared),
        Cap(key=key, limit=limits.day, window=DAY, shared=shared),
    ]
