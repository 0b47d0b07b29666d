"""Instants as the wire's times."""

from __future__ import annotations

import datetime as dt

from nightlatch.domain.time import moment


def optional_moment(at: int | None) -> dt.datetime | None:
    """The instant as an aware time, or None."""
    return None if at is None else moment(at)
