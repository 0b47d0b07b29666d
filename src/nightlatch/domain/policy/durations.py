"""Durations as people write them: ``30_days``, ``24_hours``, ``5_minutes``, ``90s``, or ISO 8601 (``P30D``, ``PT24H``).

A duration is an ``int`` of µs. Months and years have no fixed length and are not taken.
"""

from __future__ import annotations

import re

from nightlatch.domain.policy.problems import nearest
from nightlatch.domain.time import DAY, HOUR, MINUTE, SECOND

_WEEK = 7 * DAY
_UNITS = {
    "second": SECOND,
    "minute": MINUTE,
    "hour": HOUR,
    "day": DAY,
    "week": _WEEK,
}
_LETTERS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": _WEEK}
_INEXACT = frozenset(("month", "months", "year", "years"))
_WORDS = tuple(f"{unit}s" for unit in _UNITS)

# Nine digits hold 31 years of seconds; a bound here keeps every later product small.
_SIMPLE = re.compile(r"(?P<count>[0-9]{1,9})[_ ]?(?P<unit>[A-Za-z]{1,16})")
_ISO = re.compile(
    r"P(?:(?P<weeks>[0-9]{1,9})W|(?:(?P<days>[0-9]{1,9})D)?"
    r"(?P<time>T(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?(?:(?P<seconds>[0-9]{1,9})S)?)?)"
)
_ISO_UNITS = {"weeks": _WEEK, "days": DAY, "hours": HOUR, "minutes": MINUTE, "seconds": SECOND}


class BadDuration(ValueError):
    """A text that is no duration; ``nearest`` is one that it may have meant."""

    def __init__(self, detail: str, nearest: str | None = None) -> None:
        super().__init__(detail)
        self.nearest = nearest


def read(text: str) -> int:
    """The duration in µs. Raises ``BadDuration``."""
    if text == "0":
        return 0
    if simple := _SIMPLE.fullmatch(text):
        return _simple(simple["count"], simple["unit"])
    if text.startswith("P"):
        return _iso(text)
    if text.isascii() and text.isdigit():
        raise BadDuration("A duration needs a unit: write 30_days, 24_hours, 5_minutes, 90s or P30D")
    raise BadDuration("This is no duration: write 30_days, 24_hours, 5_minutes, 90s or P30D")


def write(duration: int) -> str:
    """The text with the largest unit that fits, which ``read`` takes back. ``duration`` is whole seconds in µs."""
    unit, size = next(item for item in reversed(_UNITS.items()) if item[0] != "week" and duration % item[1] == 0)
    count = duration // size
    return f"{count}_{unit}" + ("" if count == 1 else "s")


def _simple(count: str, unit: str) -> int:
    if unit in _INEXACT:
        raise BadDuration(f"{unit} have no fixed length: write days")
    size = _LETTERS.get(unit) or _UNITS.get(unit.removesuffix("s"))
    # "ss" is no plural of "s".
    if size is None or (len(unit) > 1 and unit.removesuffix("s") in _LETTERS):
        word = nearest(unit, _WORDS)
        raise BadDuration(f"{unit} is no unit of time", f"{count}_{word}" if word else None)
    return int(count) * size


def _iso(text: str) -> int:
    found = _ISO.fullmatch(text)
    if found is None or text in {"P", "PT"} or found["time"] == "T":
        raise BadDuration("This is no ISO 8601 duration of weeks, days, hours, minutes and seconds")
    return sum(int(found[name]) * size for name, size in _ISO_UNITS.items() if found[name])
