"""A batch of loads in one PostgreSQL statement, so that version and data of each root are of one moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from nightlatch.adapters.sql import tables as t
from nightlatch.ports.store import Snapshot, UserKey


class Needs(NamedTuple):
    """Which of the optional parts some key of the batch asks for; the others are left out of the statement."""

    attempt: bool
    challenge: bool
    device: bool
    network: bool


# The first key that is given decides, found or not: an unknown name must not fall through to another's row.
_KEYS = """\
WITH k AS MATERIALIZED (
  SELECT g.*, CASE
    WHEN g.user_id IS NOT NULL THEN g.user_id
    WHEN g.username IS NOT NULL THEN (SELECT id FROM users WHERE username = g.username)
{attempt}  END AS root
  FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::bytea[], $8::text[], $9::text[]
  ) WITH ORDINALITY
    AS g(user_id, username, authentication, ticket, factor, challenge, device, application, network, ord)
)
"""
_ROOT_OF_ATTEMPT = """\
    WHEN g.authentication IS NOT NULL THEN (SELECT root FROM authentications WHERE id = g.authentication)
    WHEN g.ticket IS NOT NULL THEN (SELECT root FROM tickets WHERE hash = g.ticket)
    ELSE (SELECT user_id FROM factors WHERE id = g.factor)
"""
# One row per factor of the user (or one without); everything else repeats in them and is read from the first.
# OFFSET 0 keeps the subqueries apart, so that each key is looked up, and by the one index that is always right: joined
# freely, PostgreSQL reads whole tables for every batch as long as they are small or it has no statistics on them. It
# also leaves little to plan.
_USER = """
FROM k
LEFT JOIN LATERAL (SELECT * FROM roots WHERE roots.id = k.root OFFSET 0) AS roots ON true
LEFT JOIN LATERAL (SELECT * FROM users WHERE users.id = k.root OFFSET 0) AS users ON true
LEFT JOIN LATERAL (SELECT * FROM factors WHERE factors.user_id = k.root OFFSET 0) AS factors ON true
LEFT JOIN LATERAL (
  SELECT * FROM factor_state WHERE factor_state.factor_id = factors.id OFFSET 0
) AS factor_state ON true
"""
# What comes along must be this root's own, whatever the caller names.
_TICKET = """\
LEFT JOIN LATERAL (SELECT * FROM tickets WHERE tickets.hash = k.ticket OFFSET 0) AS tickets ON tickets.root = k.root
"""
_ATTEMPT = """\
LEFT JOIN LATERAL (
  SELECT * FROM authentications
  WHERE authentications.id = coalesce(k.authentication, tickets.authentication_id) OFFSET 0
) AS authentications ON authentications.root = k.root
CROSS JOIN LATERAL (
  SELECT {arrays} FROM (
    SELECT * FROM (SELECT * FROM challenges WHERE authentication_id = authentications.id OFFSET 0) AS its
      ORDER BY id DESC LIMIT {limit}
  ) AS newest
) AS challenges
"""
# The same where some key of the batch names one challenge, which then comes alone.
_ATTEMPT_OR_CHALLENGE = """\
LEFT JOIN LATERAL (
  SELECT * FROM challenges WHERE challenges.id = k.challenge OFFSET 0
) AS named ON named.user_id = k.root
LEFT JOIN LATERAL (
  SELECT * FROM authentications
  WHERE authentications.id = coalesce(k.authentication, tickets.authentication_id, named.authentication_id) OFFSET 0
) AS authentications ON authentications.root = k.root
CROSS JOIN LATERAL (
  SELECT {arrays} FROM (
    SELECT * FROM challenges WHERE id = named.id
    UNION ALL
    (SELECT * FROM (SELECT * FROM challenges WHERE authentication_id = authentications.id OFFSET 0) AS its
      WHERE k.challenge IS NULL ORDER BY id DESC LIMIT {limit})
  ) AS newest
) AS challenges
"""
_DEVICE = """\
LEFT JOIN LATERAL (
  SELECT * FROM devices WHERE devices.user_id = k.root
    AND (devices.token_hash = k.device OR devices.previous_hash = k.device)
    AND (k.application IS NULL OR devices.application_id = k.application)
  LIMIT 1
) AS devices ON true
"""
_NETWORK = """\
LEFT JOIN LATERAL (
  SELECT * FROM seen_networks WHERE seen_networks.user_id = k.root AND seen_networks.network = k.network OFFSET 0
) AS seen_networks ON true
"""


def batch_statement(keys: Sequence[UserKey]) -> tuple[str, list[list[Any]], Needs]:
    """The statement for these keys, its arguments, and what its columns hold."""
    needs = Needs(
        attempt=any(_beyond_the_user(key) for key in keys),
        challenge=any(key.challenge is not None for key in keys),
        device=any(key.device is not None for key in keys),
        network=any(key.network is not None for key in keys),
    )
    arguments: list[list[Any]] = [
        [key.user for key in keys],
        [key.username for key in keys],
        [key.authentication for key in keys],
        [key.ticket for key in keys],
        [key.factor for key in keys],
        [key.challenge for key in keys],
        [key.device for key in keys],
        [key.device_application for key in keys],
        [key.network for key in keys],
    ]
    return _text(needs), arguments, needs


def _beyond_the_user(key: UserKey) -> bool:
    return any(part is not None for part in (key.authentication, key.ticket, key.factor, key.challenge))


@cache
def _text(needs: Needs) -> str:
    keys = _KEYS.format(attempt=_ROOT_OF_ATTEMPT if needs.attempt else "")
    joins = _USER
    kept = [t.USERS, t.FACTORS, t.FACTOR_STATE]
    if needs.attempt:
        names = t.CHALLENGES.mapping.names
        arrays = ", ".join(f"array_agg({t.quoted(name)}) AS {t.quoted(name)}" for name in names)
        attempt = _ATTEMPT_OR_CHALLENGE if needs.challenge else _ATTEMPT
        joins += _TICKET + attempt.format(arrays=arrays, limit=t.CHALLENGES_ALONG)
        kept += [t.TICKETS, t.AUTHENTICATIONS, t.CHALLENGES]
    if needs.device:
        joins += _DEVICE
        kept.append(t.DEVICES)
    if needs.network:
        joins += _NETWORK
        kept.append(t.SEEN_NETWORKS)
    columns = [f"{table.name}.{t.quoted(name)}" for table in kept for name in table.mapping.names]
    return f"{keys}SELECT k.ord, k.root, roots.version, {', '.join(columns)}{joins}"


class _Cut:
    """Where the columns of each table lie in a row of the statement."""

    def __init__(self, needs: Needs) -> None:
        self._at = 3
        self.user = self._next(t.USERS)
        self.factor = self._next(t.FACTORS)
        self.state = self._next(t.FACTOR_STATE)
        if needs.attempt:
            self.ticket = self._next(t.TICKETS)
            self.authentication = self._next(t.AUTHENTICATIONS)
            self.challenges = self._next(t.CHALLENGES)
        if needs.device:
            self.device = self._next(t.DEVICES)
        if needs.network:
            self.network = self._next(t.SEEN_NETWORKS)

    def _next(self, kept: t.RecordTable) -> slice:
        start, self._at = self._at, self._at + len(kept.mapping.names)
        return slice(start, self._at)


_cut = cache(_Cut)


def snapshots(rows: Iterable[Sequence[Any]], needs: Needs, count: int) -> list[Snapshot]:
    """One snapshot per key, by its ordinal."""
    cut = _cut(needs)
    by_key: list[list[Sequence[Any]]] = [[] for _ in range(count)]
    for row in rows:
        by_key[row[0] - 1].append(row)
    return [_snapshot(mine, needs, cut) for mine in by_key]


def _snapshot(rows: list[Sequence[Any]], needs: Needs, cut: _Cut) -> Snapshot:
    row = rows[0]
    along: dict[str, Any] = {}
    if needs.attempt:
        along["ticket"] = _one(t.TICKETS, row[cut.ticket])
        along["authentication"] = _one(t.AUTHENTICATIONS, row[cut.authentication])
        arrays = row[cut.challenges]
        if arrays[0] is not None:
            along["challenges"] = tuple(map(t.CHALLENGES.mapping.of, zip(*arrays, strict=True)))
    if needs.device:
        along["device"] = _one(t.DEVICES, row[cut.device])
    if needs.network:
        along["network"] = _one(t.SEEN_NETWORKS, row[cut.network])
    factors = [factor for each in rows if (factor := _one(t.FACTORS, each[cut.factor])) is not None]
    states = [state for each in rows if (state := _one(t.FACTOR_STATE, each[cut.state])) is not None]
    if len(factors) > 1:
        factors.sort(key=lambda factor: factor.id)
    return Snapshot(
        root=row[1],
        version=row[2] or 0,
        user=_one(t.USERS, row[cut.user]),
        factors=tuple(factors),
        states={state.factor_id: state for state in states},
        **along,
    )


def _one(kept: t.RecordTable, values: Sequence[Any]) -> Any:
    """The record in these columns, or None when the outer join found none."""
    return None if values[0] is None else kept.mapping.of(values)
