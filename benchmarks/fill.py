"""Many users at once, each with an active TOTP factor: rows as the SQL adapter makes them, sealed as the server seals.

Written by COPY on PostgreSQL and in large transactions on SQLite.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.people import People
from benchmarks.server import Site
from nightlatch.adapters.sql import tables as t
from nightlatch.app.context import Ports
from nightlatch.app.events import new_audit_key
from nightlatch.app.factors.secrets import seal_secret
from nightlatch.bootstrap import open_beside
from nightlatch.config import load_settings
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.ids import FACTOR, USER
from nightlatch.domain.records import Factor, FactorState, FactorStatus, User, UserKind

AT_ONCE = 20_000
Rows = list[Sequence[Any]]
_COLUMNS: Mapping[str, Sequence[str]] = {
    "roots": ("id", "version"),
    **{kept.name: kept.mapping.names for kept in (t.USERS, t.FACTORS, t.FACTOR_STATE)},
}


def fill(site: Site, people: People, *, factors: bool = True) -> None:
    """Store all these people, with a TOTP factor each or with none. No server runs meanwhile."""
    asyncio.run(_fill(site, people, factors))


async def _fill(site: Site, people: People, factors: bool) -> None:
    settings = load_settings(environ=site.environment())
    async with open_beside(settings, make=True) as opened:
        for start in range(0, people.count, AT_ONCE):
            rows = _rows(opened.ports, people, range(start, min(start + AT_ONCE, people.count)), factors)
            if settings.sqlite:
                _insert(Path(settings.database_url.removeprefix("sqlite:///")), rows)
            else:
                await _copy(settings.database_url, rows)


def _rows(ports: Ports, people: People, numbers: range, factors: bool) -> dict[str, Rows]:
    rows: dict[str, Rows] = {name: [] for name in _COLUMNS}
    for user, factor, state in _people(ports, people, numbers):
        rows["roots"].append((user.id, 1))
        rows["users"].append(t.USERS.mapping.row(user))
        if not factors:
            continue
        rows["factors"].append(t.FACTORS.mapping.row(factor))
        rows["factor_state"].append(t.FACTOR_STATE.mapping.row(state))
    return rows


def _people(ports: Ports, people: People, numbers: range) -> Iterator[tuple[User, Factor, FactorState]]:
    now = ports.clock.now()
    public = {"algorithm": "SHA1", "digits": 6, "period": 30}
    for number in numbers:
        user_id, factor_id = ports.new_id(USER, now), ports.new_id(FACTOR, now)
        user = User(
            id=user_id,
            username=people.username(number),
            kind=UserKind.PERSON,
            audit_key=new_audit_key(ports, user_id),
            grace_started_at=now,  # as for everybody who signed in before: only the first time writes it
            created_at=now,
            updated_at=now,
        )
        factor = Factor(
            id=factor_id,
            user_id=user_id,
            kind=FactorKind.TOTP,
            status=FactorStatus.ACTIVE,
            public=public,
            sealed=seal_secret(ports, people.secret(number), factor_id=factor_id, user_id=user_id),
            created_at=now,
            activated_at=now,
        )
        yield user, factor, FactorState(factor_id=factor_id, user_id=user_id)


async def _copy(url: str, rows: Mapping[str, Rows]) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for name, mine in rows.items():
                await connection.copy_records_to_table(name, records=mine, columns=_COLUMNS[name])
    finally:
        await connection.close()


def _insert(path: Path, rows: Mapping[str, Rows]) -> None:
    with sqlite3.connect(path) as connection:
        for name, mine in rows.items():
            columns = ", ".join(map(t.quoted, _COLUMNS[name]))
            marks = ", ".join("?" * len(_COLUMNS[name]))
            connection.executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", mine)
    connection.close()
