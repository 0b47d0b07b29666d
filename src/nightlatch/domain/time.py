"""Instants and durations.

An instant is an ``int`` of microseconds since the Unix epoch, UTC; a duration is an ``int`` of
microseconds. Plain integers compare, add and store alike in both databases, and cannot lose
their zone on the way.
"""

from __future__ import annotations

import datetime as dt

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SKEW = MINUTE
"""How far another node's clock may run ahead of this one's."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def holds(made_at: int, ends_at: int, now: int) -> bool:
    """Whether something that was made for a while still holds.

    What was made in the future was made before the clock was set back: nobody knows how old it is, and it must not
    hold for all that time again (T10).
    """
    return made_at - SKEW <= now < ends_at


def rfc3339(at: int) -> str:
    """Write an instant as RFC 3339 with ``Z``; whole seconds unless there is a fraction."""
    return moment(at).isoformat().replace("+00:00", "Z")


def parse_rfc3339(text: str) -> int:
    """Read an RFC 3339 time with a zone into an instant.

    Raises ``ValueError`` when the text is no such time or has no zone.
    """
    return instant(dt.datetime.fromisoformat(text))


def whole_seconds(duration: int) -> int:
    """Seconds, rounded up: who waits this long has surely waited enough."""
    return max(0, -(-duration // SECOND))


def moment(at: int) -> dt.datetime:
    """The instant as an aware ``datetime`` in UTC, for people and for the wire."""
    return _EPOCH + dt.timedelta(microseconds=at)


def instant(when: dt.datetime) -> int:
    """The aware ``datetime`` as an instant. Raises ``ValueError`` for a naive one, and for one that
    is outside the years 1 to 9999 in UTC, which nothing could show again.
    """
    if when.tzinfo is None:
        raise ValueError("the time has no zone; end it with Z")
    try:
        return (when.astimezone(dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1)
    except OverflowError:
        raise ValueError("the time is outside the years 1 to 9999") from None
