"""Many users at once, each with an active factor (TOTP, or a paired phone): rows as the SQL adapter makes them, sealed
as the server seals.

Written by COPY on PostgreSQL and in large transactions on SQLite.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.people import People
from benchmarks.phones import Phone
from benchmarks.server import Site
from nightlatch.adapters.sql import tables as t
from nightlatch.app.context import Ports
from nightlatch.app.events import new_audit_key
from nightlatch.app.factors.rows import with_mac
from nightlatch.app.factors.secrets import seal_secret
from nightlatch.app.push.sealed import PushSecret, seal_push_secret
from nightlatch.bootstrap import open_beside
from nightlatch.config import load_settings
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import PushState
from nightlatch.domain.ids import FACTOR, USER
from nightlatch.domain.records import Factor, FactorState, FactorStatus, User, UserKind

AT_ONCE = 20_000
Rows = list[Sequence[Any]]
_COLUMNS: Mapping[str, Sequence[str]] = {
    "roots": ("id", "version"),
    **{kept.name: kept.mapping.names for kept in (t.USERS, t.FACTORS, t.FACTOR_STATE)},
}


def fill(site: Site, people: People, kind: FactorKind | None = FactorKind.TOTP) -> None:
    """Store all these people, with a factor each (``TOTP`` or ``PUSH``) or with none. No server runs meanwhile."""
    asyncio.run(_fill(site, people, kind))


async def _fill(site: Site, people: People, kind: FactorKind | None) -> None:
    settings = load_settings(environ=site.environment())
    async with open_beside(settings, make=True) as opened:
        for start in range(0, people.count, AT_ONCE):
            rows = _rows(opened.ports, people, range(start, min(start + AT_ONCE, people.count)), kind)
            if settings.sqlite:
                _insert(Path(settings.database_url.removeprefix("sqlite:///")), rows)
            else:
                await _copy(settings.database_url, rows)


def _rows(ports: Ports, people: People, numbers: range, kind: FactorKind | None) -> dict[str, Rows]:
    rows: dict[str, Rows] = {name: [] for name in _COLUMNS}
    now = ports.clock.now()
    for number, user in _users(ports, people, numbers, now):
        rows["roots"].append((user.id, 1))
        rows["users"].append(t.USERS.mapping.row(user))
        if kind is None:
            continue
        factor = _FACTORS[kind](ports, people, number, user.id, now)
        rows["factors"].append(t.FACTORS.mapping.row(factor))
        rows["factor_state"].append(t.FACTOR_STATE.mapping.row(FactorState(factor_id=factor.id, user_id=user.id)))
    return rows


def _users(ports: Ports, people: People, numbers: range, now: int) -> Iterator[tuple[int, User]]:
    for number in numbers:
        user_id = ports.new_id(USER, now)
        user = User(
            id=user_id,
            username=people.username(number),
            kind=UserKind.PERSON,
            audit_key=new_audit_key(ports, user_id),
            grace_started_at=now,  # as for everybody who signed in before: only the first time writes it
            created_at=now,
            updated_at=now,
        )
        yield number, user


def _app(ports: Ports, people: People, number: int, user_id: str, now: int) -> Factor:
    id_ = ports.new_id(FACTOR, now)
    return Factor(
        id=id_,
        user_id=user_id,
        kind=FactorKind.TOTP,
        status=FactorStatus.ACTIVE,
        public={"algorithm": "SHA1", "digits": 6, "period": 30},
        sealed=seal_secret(ports, people.secret(number), factor_id=id_, user_id=user_id),
        created_at=now,
        activated_at=now,
    )


def _phone(ports: Ports, _people: People, number: int, user_id: str, now: int) -> Factor:
    """A phone that is not rung: it asks by itself."""
    id_ = ports.new_id(FACTOR, now)
    state = PushState(jwk=Phone(number).jwk, name="Bench", hint="Bench", pairing="answered")
    factor = Factor(
        id=id_,
        user_id=user_id,
        kind=FactorKind.PUSH,
        status=FactorStatus.ACTIVE,
        label="Bench",
        public=state.public(),
        sealed=seal_push_secret(ports, PushSecret(), factor_id=id_, user_id=user_id),
        created_at=now,
        activated_at=now,
    )
    return with_mac(ports, factor)


_FACTORS: Mapping[FactorKind, Callable[[Ports, People, int, str, int], Factor]] = {
    FactorKind.TOTP: _app,
    FactorKind.PUSH: _phone,
}


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
