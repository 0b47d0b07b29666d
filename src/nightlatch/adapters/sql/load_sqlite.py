"""A batch of loads on SQLite: short prepared statements in one read transaction, so that all are of one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from nightlatch.adapters.sql import tables as t
from nightlatch.adapters.sql.chunks import chunks
from nightlatch.domain.records import Authentication, Challenge, Factor, FactorState, Ticket
from nightlatch.ports.store import Snapshot, UserKey


def _select(kept: t.RecordTable, where: str) -> str:
    return f"SELECT {', '.join(map(t.quoted, kept.mapping.names))} FROM {t.quoted(kept.name)} WHERE {where}"


_ROOT_OF_NAME = "SELECT id FROM users WHERE username = ?"
_ROOT_OF_AUTHENTICATION = "SELECT root FROM authentications WHERE id = ?"
_ROOT_OF_TICKET = "SELECT root FROM tickets WHERE hash = ?"
_ROOT_OF_FACTOR = "SELECT user_id FROM factors WHERE id = ?"
_VERSION = "SELECT version FROM roots WHERE id = ?"
_USER = _select(t.USERS, "id = ?")
_TICKET = _select(t.TICKETS, "hash = ? AND root = ?")
_AUTHENTICATION = _select(t.AUTHENTICATIONS, "id = ? AND root = ?")
_CHALLENGES = _select(t.CHALLENGES, f"authentication_id = ? ORDER BY id DESC LIMIT {t.CHALLENGES_ALONG}")
_CHALLENGE = _select(t.CHALLENGES, "id = ? AND user_id = ?")
_DEVICE = _select(
    t.DEVICES,
    "user_id = ?1 AND (token_hash = ?2 OR previous_hash = ?2) AND (?3 IS NULL OR application_id = ?3) LIMIT 1",
)
_NETWORK = _select(t.SEEN_NETWORKS, "user_id = ? AND network = ?")
_FACTOR_WIDTH = len(t.FACTORS.mapping.names)
_FACTORS = (
    "SELECT "
    + ", ".join(f"{kept.name}.{t.quoted(n)}" for kept in (t.FACTORS, t.FACTOR_STATE) for n in kept.mapping.names)
    + " FROM factors LEFT JOIN factor_state ON factor_state.factor_id = factors.id"
    " WHERE factors.user_id = ? ORDER BY factors.id"
)


# What every sign-in asks for, of many keys at once: one row per factor of the user, or one without.
_JOINED_TABLES = (t.USERS, t.SEEN_NETWORKS, t.FACTORS, t.FACTOR_STATE)
_JOINED = f"""\
WITH k (ord, user, username, network) AS (VALUES {{given}}),
r AS MATERIALIZED (SELECT k.*, iif(user IS NULL, (SELECT id FROM users WHERE users.username = k.username), user) AS root FROM k)
SELECT r.ord, r.root, roots.version, {
    ", ".join(f"{kept.name}.{t.quoted(name)}" for kept in _JOINED_TABLES for name in kept.mapping.names)
}
FROM r
LEFT JOIN roots ON roots.id = r.root
LEFT JOIN users ON users.id = r.root
LEFT JOIN seen_networks ON seen_networks.user_id = r.root AND seen_networks.network = r.network
LEFT JOIN factors ON factors.user_id = r.root
LEFT JOIN factor_state ON factor_state.factor_id = factors.id
ORDER BY r.ord, factors.id"""


def load_batch(connection: sqlite3.Connection, keys: Sequence[UserKey]) -> list[Snapshot]:
    """One snapshot per key, by place."""
    connection.execute("BEGIN")
    try:
        found: dict[int, Snapshot] = {}
        for chunk in chunks([ord_ for ord_, key in enumerate(keys) if _is_joined(key)]):
            found |= _load_joined(connection, keys, chunk)
        return [found[ord_] if ord_ in found else _load(connection, key) for ord_, key in enumerate(keys)]
    finally:
        connection.execute("ROLLBACK")


def _is_joined(key: UserKey) -> bool:
    """Whether the one statement for many tells all that is asked; else the key has statements of its own."""
    others = (key.authentication, key.ticket, key.challenge, key.factor, key.device)
    return (key.user is not None or key.username is not None) and all(other is None for other in others)


def _load_joined(connection: sqlite3.Connection, keys: Sequence[UserKey], ords: Sequence[int]) -> dict[int, Snapshot]:
    given = [value for ord_ in ords for value in (ord_, keys[ord_].user, keys[ord_].username, keys[ord_].network)]
    statement = _JOINED.format(given=", ".join(["(?, ?, ?, ?)"] * len(ords)))
    rows: dict[int, list[Any]] = {}
    for row in connection.execute(statement, given).fetchall():
        rows.setdefault(row[0], []).append(row)
    return {ord_: _joined(mine) for ord_, mine in rows.items()}


def _joined(rows: list[Any]) -> Snapshot:
    _, root, version, *columns = rows[0]
    user, network, _, _ = _cut(columns)
    factors, states = [], {}
    for row in rows:
        *_, factor, state = _cut(row[3:])
        if factor is not None:
            factors.append(factor)
        if state is not None:
            states[state.factor_id] = state
    return Snapshot(root=root, version=version or 0, user=user, network=network, factors=tuple(factors), states=states)


def _cut(columns: Sequence[Any]) -> list[Any]:
    """The records of ``_JOINED_TABLES`` in these columns; None where the join found none."""
    records, at = [], 0
    for kept in _JOINED_TABLES:
        mine = columns[at : at + len(kept.mapping.names)]
        records.append(None if mine[0] is None else kept.mapping.of(mine))
        at += len(mine)
    return records


def _load(connection: sqlite3.Connection, key: UserKey) -> Snapshot:
    root = _root(connection, key)
    if root is None:
        # The same statements as for a known one: the work done must not tell which it was.
        root, known = "", False
    else:
        known = True
    version = connection.execute(_VERSION, (root,)).fetchone()
    factors, states = _factors(connection, root)
    ticket: Ticket | None = None
    authentication: Authentication | None = None
    challenges: tuple[Challenge, ...] = ()
    if key.ticket is not None:
        ticket = _one(connection, t.TICKETS, _TICKET, key.ticket, root)
    attempt = key.authentication or (ticket.authentication_id if ticket else None)
    if key.challenge is not None:
        challenge: Challenge | None = _one(connection, t.CHALLENGES, _CHALLENGE, key.challenge, root)
        challenges = () if challenge is None else (challenge,)
        attempt = attempt or (challenge.authentication_id if challenge else None)
    if attempt is not None:
        authentication = _one(connection, t.AUTHENTICATIONS, _AUTHENTICATION, attempt, root)
        if authentication is not None and key.challenge is None:
            rows = connection.execute(_CHALLENGES, (attempt,)).fetchall()
            challenges = tuple(map(t.CHALLENGES.mapping.of, rows))
    device = key.device and _one(connection, t.DEVICES, _DEVICE, root, key.device, key.device_application)
    network = key.network and _one(connection, t.SEEN_NETWORKS, _NETWORK, root, key.network)
    return Snapshot(
        root=root if known else None,
        version=version[0] if version else 0,
        user=_one(connection, t.USERS, _USER, root),
        factors=factors,
        states=states,
        authentication=authentication,
        challenges=challenges,
        ticket=ticket,
        device=device or None,
        network=network or None,
    )


def _root(connection: sqlite3.Connection, key: UserKey) -> str | None:
    """The first key that is given decides, found or not: an unknown name must not fall through to another's row."""
    if key.user is not None:
        return key.user
    if key.username is not None:
        found = connection.execute(_ROOT_OF_NAME, (key.username,))
    elif key.authentication is not None:
        found = connection.execute(_ROOT_OF_AUTHENTICATION, (key.authentication,))
    elif key.ticket is not None:
        found = connection.execute(_ROOT_OF_TICKET, (key.ticket,))
    else:
        found = connection.execute(_ROOT_OF_FACTOR, (key.factor,))
    row = found.fetchone()
    return None if row is None else str(row[0])


def _factors(connection: sqlite3.Connection, root: str) -> tuple[tuple[Factor, ...], dict[str, FactorState]]:
    factors: list[Factor] = []
    states: dict[str, FactorState] = {}
    for row in connection.execute(_FACTORS, (root,)).fetchall():
        factors.append(t.FACTORS.mapping.of(row[:_FACTOR_WIDTH]))
        if row[_FACTOR_WIDTH] is not None:
            state: FactorState = t.FACTOR_STATE.mapping.of(row[_FACTOR_WIDTH:])
            states[state.factor_id] = state
    return tuple(factors), states


def _one(connection: sqlite3.Connection, kept: t.RecordTable, statement: str, *keys: Any) -> Any:
    row = connection.execute(statement, keys).fetchone()
    return None if row is None else kept.mapping.of(row)
