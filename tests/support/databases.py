"""Migrated databases of a test's own, of either kind, and small records to keep in them."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy import Connection, func, select, text

from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.adapters.sql.migrate import migrate_database
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.tables import EVENTS, FACTOR_STATE, ROOTS
from nightlatch.domain import ids
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import (
    Authentication,
    AuthenticationStatus,
    Challenge,
    Device,
    Event,
    Factor,
    FactorState,
    FactorStatus,
    Ticket,
    TicketKind,
    User,
    UserKind,
)
from nightlatch.domain.time import HOUR, SECOND
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.postgres import PostgresServer

NOW = 1_766_000_000 * SECOND
_serial = itertools.count(1)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A migrated SQLite database in a folder of this test's own."""
    url = f"sqlite:///{tmp_path}/test.db"
    _migrate(url)
    return url


@pytest.fixture
def migrated_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A migrated PostgreSQL database of this test's own, cloned from a template."""
    url = postgres.create_database(postgres.template("migrated", _migrate))
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each kind in turn."""
    name = "sqlite_url" if request.param == "sqlite" else "migrated_postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same, opened."""
    opened = open_database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def store(database: Database) -> AsyncIterator[SqlStore]:
    """A store on it."""
    opened = SqlStore(database)
    yield opened
    await opened.close()


def _migrate(url: str) -> None:
    # In a thread, as an asynchronous fixture may ask for it while its loop runs.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(migrate_database(url, NOW))).result()


def new_id(prefix: str, at: int = NOW) -> str:
    """An id that no other call gives, in this process or beside it; later ones sort behind."""
    return ids.new_id(prefix, at, (os.getpid() << 40 | next(_serial)).to_bytes(ids.ENTROPY_BYTES, "big"))


def a_user(username: str, **fields: Any) -> User:
    """A person."""
    chosen: dict[str, Any] = {"kind": UserKind.PERSON, "created_at": NOW, "updated_at": NOW} | fields
    return User(id=new_id(ids.USER), username=username, **chosen)


def a_factor(user: User, kind: FactorKind = FactorKind.TOTP, **fields: Any) -> Factor:
    """An active factor of a person."""
    chosen: dict[str, Any] = {"status": FactorStatus.ACTIVE, "sealed": b"sealed", "created_at": NOW} | fields
    return Factor(id=new_id(ids.FACTOR), user_id=user.id, kind=kind, **chosen)


def a_state(factor: Factor, **fields: Any) -> FactorState:
    """What must not race about a factor."""
    return FactorState(factor_id=factor.id, user_id=factor.user_id, **fields)


def an_event(user: User | None = None, **fields: Any) -> Event:
    """An audit event."""
    chosen: dict[str, Any] = {
        "id": new_id(ids.EVENT), "at": NOW, "type": "factor:verify", "actor": "system", "outcome": "success",
        "leaf": b"\0" * 32, "user_id": user.id if user else None,
    } | fields  # fmt: skip
    return Event(**chosen)


def an_authentication(user: User | None = None, **fields: Any) -> Authentication:
    """A pending attempt of a person, or of a name that nobody has."""
    id_ = new_id(ids.AUTHENTICATION, fields.get("created_at", NOW))
    chosen: dict[str, Any] = {
        "id": id_, "root": user.id if user else id_, "user_id": user.id if user else new_id(ids.USER),
        "user_known": user is not None, "application_id": "app_1", "ip": "192.0.2.1", "decision": "challenge",
        "status": AuthenticationStatus.PENDING, "created_at": NOW, "expires_at": NOW + HOUR,
    } | fields  # fmt: skip
    return Authentication(**chosen)


def a_challenge(authentication: Authentication, factor: Factor, **fields: Any) -> Challenge:
    """A challenge of an attempt."""
    chosen: dict[str, Any] = {"created_at": NOW, "expires_at": NOW + HOUR} | fields
    return Challenge(
        id=new_id(ids.CHALLENGE, chosen["created_at"]), user_id=factor.user_id, authentication_id=authentication.id,
        factor_id=factor.id, kind=factor.kind, **chosen,
    )  # fmt: skip


def a_ticket(hash_: bytes, root: str, **fields: Any) -> Ticket:
    """A ticket that opens a door."""
    chosen: dict[str, Any] = {
        "kind": TicketKind.PROMPT, "user_id": root, "created_at": NOW, "expires_at": NOW + HOUR,
    } | fields  # fmt: skip
    return Ticket(hash=hash_, root=root, **chosen)


def a_device(user: User, token_hash: bytes, **fields: Any) -> Device:
    """A browser seen before."""
    chosen: dict[str, Any] = {"application_id": "app_1", "created_at": NOW, "last_seen_at": NOW} | fields
    return Device(id=new_id(ids.DEVICE), user_id=user.id, token_hash=token_hash, **chosen)


async def keep_person(store: SqlStore, username: str, **fields: Any) -> tuple[User, Factor]:
    """A person with one factor and its state, at version 1."""
    user = a_user(username, **fields)
    factor = a_factor(user)
    change = Change(root=user.id, expected=0, new=(user, factor), puts=(a_state(factor),))
    assert await store.commit(change) is Outcome.APPLIED
    return user, factor


async def count_one_more(store: SqlStore, username: str) -> Outcome:
    """Read the counter of somebody's factor, decide, and store it with an event."""
    seen = await store.load(UserKey(username=username))
    assert seen.user is not None
    (state,) = seen.states.values()
    moved = msgspec.structs.replace(state, counter=state.counter + 1)
    events = (an_event(seen.user, data={"counter": moved.counter}),)
    return await store.commit(Change(root=seen.user.id, expected=seen.version, puts=(moved,), events=events))


async def until_somebody_waits(connection: asyncpg.Connection) -> None:
    """Until another session of this database waits for a lock of ours."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(30):
        while not await connection.fetchval(waiting):
            await asyncio.sleep(0.02)
            await connection.execute("SELECT pg_stat_clear_snapshot()")  # or a transaction sees what it saw first


def check_whole(connection: Connection) -> tuple[dict[str, int], int]:
    """Each person's version, counter and events tell of the same number of changes; versions by root, and all events."""
    counted = select(EVENTS.table.c.user_id, func.count().label("n")).group_by(EVENTS.table.c.user_id).subquery()
    statement = (
        select(ROOTS.c.id, ROOTS.c.version, FACTOR_STATE.table.c.counter, func.coalesce(counted.c.n, 0))
        .join(FACTOR_STATE.table, FACTOR_STATE.table.c.user_id == ROOTS.c.id)
        .outerjoin(counted, counted.c.user_id == ROOTS.c.id)
    )
    versions, events = {}, 0
    for root, version, counter, told in connection.execute(statement):
        assert version - 1 == counter + 1 == told, (root, version, counter, told)
        versions[root] = version
        events += told
    queued = connection.execute(text("SELECT count(*) FROM audit_queue")).scalar_one()
    assert queued == events
    return versions, events
