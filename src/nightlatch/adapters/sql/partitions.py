"""The months of ``events`` on PostgreSQL.

Rows of a month without a partition go to ``events_default``, so nothing ever fails for want of one; the months ahead
are made in time, since a partition cannot be cut out of a default that holds its rows.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, exc, text

from nightlatch.adapters.sql.locks import PARTITION_LOCK
from nightlatch.domain.time import instant, moment

MONTHS_AHEAD = 2


def ensure_partitions(connection: Connection, now: int) -> list[str]:
    """Make the partitions of this month and the next two that are missing; return their names."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
    # Attaching locks the table for a moment; rather fail and try again than hold up who waits behind us.
    connection.execute(text("SET LOCAL lock_timeout = '2s'"))
    made = []
    for start, end in _months(now):
        name = f"events_{start:%Y_%m}"
        known = connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name}).scalar_one()
        if not known and _make(connection, name, instant(start), instant(end)):
            made.append(name)
    return made


def _make(connection: Connection, name: str, start: int, end: int) -> bool:
    try:
        with connection.begin_nested():
            # Made apart and attached: CREATE … PARTITION OF would lock out every reader and writer of the table.
            connection.execute(text(f"CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
            connection.execute(text(f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"))
    except exc.DBAPIError:
        return False  # the default holds rows of this month already, or the lock was not free: all keeps working
    return True


def _months(now: int) -> list[tuple[dt.datetime, dt.datetime]]:
    start = moment(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = []
    for _ in range(MONTHS_AHEAD + 1):
        end = (start + dt.timedelta(days=32)).replace(day=1)
        months.append((start, end))
        start = end
    return months
