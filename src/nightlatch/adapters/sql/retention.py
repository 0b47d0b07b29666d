"""What is kept how long, and the sweep that removes the rest.

Rows go by time alone, long after any decision could still rest on them, so no root's version need move. Audit events,
users and activated factors are never swept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, select, tuple_

from nightlatch.adapters.sql import tables as t
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.partitions import ensure_partitions
from nightlatch.adapters.sql.periodic import Periodic
from nightlatch.domain import ids
from nightlatch.domain.records import FactorStatus
from nightlatch.domain.time import DAY, HOUR, MINUTE
from nightlatch.ports.world import Clock

# A statement never removes more: it holds its locks for a moment only.
ROWS = 1_000
EVERY = 10 * MINUTE

KEEP_AUTHENTICATIONS = 90 * DAY  # people look at their recent sign-ins
KEEP_UNKNOWN_AUTHENTICATIONS = DAY  # of names that nobody has
KEEP_CHALLENGES = DAY
KEEP_TICKETS = DAY  # so that a late click is told that the link has expired
KEEP_ANSWERS = HOUR
KEEP_PENDING_FACTORS = DAY
KEEP_DEVICES = 90 * DAY  # since they were last seen; no policy remembers one for longer
KEEP_NETWORKS = 180 * DAY  # since the end of the day on which somebody last came from there; then it is new to them
KEEP_UNPROVED_DEVICES = DAY  # no factor was ever proved from them, so that they count as unknown anyway
KEEP_MESSAGES = 90 * DAY  # their payloads are long erased; statistics of texts look back this far


class Rule(NamedTuple):
    """Rows of ``table`` to remove. With ``own_root`` each is its own root, which goes with it."""

    table: Table
    over: Callable[[int], ColumnElement[bool]]
    own_root: bool = False


def _created_before(table: Table, prefix: str, at: int) -> ColumnElement[bool]:
    """By the time in the id (UUIDv7), which is the primary key: no further index is needed."""
    return table.c.id < f"{prefix}_{max(0, at) // 1000:012x}"


_ATTEMPTS, _CHALLENGES, _FACTORS = t.AUTHENTICATIONS.table, t.CHALLENGES.table, t.FACTORS.table
_TICKETS, _ANSWERS, _DEVICES = t.TICKETS.table, t.IDEMPOTENT_ANSWERS.table, t.DEVICES.table
_MESSAGES, _TEXTS = t.OUTBOX.table, t.SMS_SENDS.table
_NETWORKS = t.SEEN_NETWORKS.table

RULES = {
    "authentications": Rule(
        _ATTEMPTS,
        lambda now: and_(
            _ATTEMPTS.c.user_known, _created_before(_ATTEMPTS, ids.AUTHENTICATION, now - KEEP_AUTHENTICATIONS)
        ),
    ),
    "unknown_authentications": Rule(
        _ATTEMPTS,
        lambda now: and_(
            ~_ATTEMPTS.c.user_known,
            _created_before(_ATTEMPTS, ids.AUTHENTICATION, now - KEEP_UNKNOWN_AUTHENTICATIONS),
        ),
        own_root=True,
    ),
    "challenges": Rule(_CHALLENGES, lambda now: _created_before(_CHALLENGES, ids.CHALLENGE, now - KEEP_CHALLENGES)),
    "tickets": Rule(_TICKETS, lambda now: _TICKETS.c.expires_at < now - KEEP_TICKETS),
    "idempotent_answers": Rule(_ANSWERS, lambda now: _ANSWERS.c.expires_at < now - KEEP_ANSWERS, own_root=True),
    "pending_factors": Rule(
        _FACTORS,
        lambda now: and_(
            _FACTORS.c.status == FactorStatus.PENDING.value,
            _FACTORS.c.expires_at.is_not(None),
            _FACTORS.c.expires_at < now - KEEP_PENDING_FACTORS,
        ),
    ),
    "outbox": Rule(_MESSAGES, lambda now: _created_before(_MESSAGES, ids.MESSAGE, now - KEEP_MESSAGES)),
    "sms_sends": Rule(_TEXTS, lambda now: _created_before(_TEXTS, ids.MESSAGE, now - KEEP_MESSAGES)),
    "networks": Rule(_NETWORKS, lambda now: _NETWORKS.c.last_at < now - KEEP_NETWORKS - DAY),
    "devices": Rule(_DEVICES, lambda now: _DEVICES.c.last_seen_at < now - KEEP_DEVICES),
    "unproved_devices": Rule(
        _DEVICES,
        lambda now: and_(
            _DEVICES.c.proved_at.is_(None),
            _created_before(_DEVICES, ids.DEVICE, now - KEEP_UNPROVED_DEVICES),
            _DEVICES.c.last_seen_at < now - KEEP_UNPROVED_DEVICES,
        ),
    ),
    "budgets": Rule(t.BUDGETS, lambda now: t.BUDGETS.c.expires_at <= now),
    "ephemeral": Rule(t.EPHEMERAL, lambda now: t.EPHEMERAL.c.expires_at <= now),
}


class Retention:
    """``start`` keeps it running beside everything else; ``run_once`` is for tests and the command line."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._periodic = Periodic("retention", self._most, every=EVERY, full=ROWS)

    async def run_once(self) -> dict[str, int]:
        """Remove at most a thousand rows by each rule, and make the next months' partitions; rows by rule."""
        now = self._clock.now()
        if self._database.dialect == "postgresql":
            await self._database.write(lambda connection: ensure_partitions(connection, now))
        return {name: await self._sweep(rule, now) for name, rule in RULES.items()}

    async def _sweep(self, rule: Rule, now: int) -> int:
        return await self._database.write(lambda connection: sweep(connection, rule, now))

    async def _most(self) -> int:
        return max((await self.run_once()).values())

    def start(self) -> None:
        """Run until ``stop``, on this event loop."""
        self._periodic.start()

    async def stop(self) -> None:
        """End after the run that is under way."""
        await self._periodic.stop()


def sweep(connection: Connection, rule: Rule, now: int) -> int:
    """Remove what this rule names, at most a thousand rows; what somebody holds is left for the next time."""
    table, key = rule.table, list(rule.table.primary_key.columns)
    chosen = select(*key).where(rule.over(now)).limit(ROWS)
    if rule.own_root:
        # The root first, as every change does, so that the two never wait for each other in a ring.
        chosen = chosen.join(t.ROOTS, t.ROOTS.c.id == table.c.id).with_for_update(skip_locked=True, of=t.ROOTS)
    else:
        chosen = chosen.with_for_update(skip_locked=True)
    rows: list[Any] = [tuple(row) for row in connection.execute(chosen)]
    if not rows:
        return 0
    connection.execute(delete(table).where(tuple_(*key).in_(rows)))
    if rule.own_root:
        connection.execute(delete(t.ROOTS).where(t.ROOTS.c.id.in_([row[0] for row in rows])))
    if table is _FACTORS:
        states = t.FACTOR_STATE.table
        connection.execute(delete(states).where(states.c.factor_id.in_([row[0] for row in rows])))
    return len(rows)
