"""A batch of loads on SQLite: short prepared statements in one read transaction, so that all are of one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from nightlatch.adapters.sql import tables as t
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


def load_batch(connection: sqlite3.Connection, keys: Sequence[UserKey]) -> list[Snapshot]:
    """One snapshot per key, by place."""
    connection.execute("BEGIN")
    try:
        return [_load(connection, key) for key in keys]
    finally:
        connection.execute("ROLLBACK")


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
