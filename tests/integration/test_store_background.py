"""What runs beside requests: the sequencer, the sweep, the look at what other processes changed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection, func, select, update
from sqlalchemy.util import await_only

from nightlatch.adapters.cache.shared import TRUSTED_FOR, Shared
from nightlatch.adapters.sql.budgets import SqlBudgets
from nightlatch.adapters.sql.catalog import SqlCatalog
from nightlatch.adapters.sql.directory import SqlDirectory
from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.adapters.sql.ephemeral import SqlEphemeral
from nightlatch.adapters.sql.periodic import Periodic
from nightlatch.adapters.sql.postgres import PostgresDatabase
from nightlatch.adapters.sql.retention import (
    KEEP_ANSWERS,
    KEEP_AUTHENTICATIONS,
    KEEP_CHALLENGES,
    KEEP_NETWORKS,
    KEEP_PENDING_FACTORS,
    KEEP_TICKETS,
    KEEP_UNKNOWN_AUTHENTICATIONS,
    RULES,
    Retention,
    sweep,
)
from nightlatch.adapters.sql.sequencer import Sequencer
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.tables import AUDIT_LOG, AUDIT_QUEUE, GENERATION, METADATA, ROOTS, TICKETS
from nightlatch.domain.errors import Unavailable
from nightlatch.domain.records import FactorStatus, IdempotentAnswer, SeenNetwork
from nightlatch.domain.time import DAY, HOUR, SECOND
from nightlatch.ports.budgets import Cap
from nightlatch.ports.directory import EventFilter
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.databases import (
    NOW,
    a_challenge,
    a_factor,
    a_state,
    a_ticket,
    an_authentication,
    an_event,
    keep_person,
)
from tests.support.ports import SetClock


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait, at most 20 s, until something is so."""
    async with asyncio.timeout(20):
        while not await true():  # noqa: ASYNC110 (what is waited for lies in the database)
            await asyncio.sleep(0.01)


def logged(connection: Connection) -> list[tuple[int, str]]:
    """The sequence as it stands."""
    rows = connection.execute(select(AUDIT_LOG.c.seq, AUDIT_LOG.c.event_id).order_by(AUDIT_LOG.c.seq))
    return [(row.seq, row.event_id) for row in rows]


@pytest.mark.requirement("G1")
async def test_the_sequence_has_every_event_once_and_no_gap(
    store: SqlStore, database: Database, database_url: str
) -> None:
    """Many write while two sequencers run; a reader that follows the cursor misses nothing."""
    people = [(await keep_person(store, f"user{i}"))[0] for i in range(10)]
    written: set[str] = set()
    seen: list[str] = []
    done = asyncio.Event()
    other = open_database(database_url)
    directory = SqlDirectory(database)

    async def write(person: int) -> None:
        for version in range(1, 31):
            events = tuple(an_event(people[person]) for _ in range(random.randint(1, 3)))
            change = Change(root=people[person].id, expected=version, events=events)
            assert await store.commit(change) is Outcome.APPLIED
            written.update(event.id for event in events)

    async def number(sequencer: Sequencer) -> None:
        while not done.is_set():
            await sequencer.run_once()

    async def follow() -> None:
        cursor = 0
        while not (done.is_set() and len(seen) == len(written)):
            page = await directory.events(EventFilter(), after=cursor, limit=50)
            assert [each.seq for each in page] == list(range(cursor + 1, cursor + 1 + len(page)))
            seen.extend(each.event.id for each in page)
            cursor += len(page)

    numbering = [asyncio.create_task(number(Sequencer(each))) for each in (database, other)]
    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(i) for i in range(len(people))))
    done.set()
    await asyncio.gather(*numbering)
    await Sequencer(database).drain()
    await asyncio.wait_for(following, 20)
    assert sorted(seen) == sorted(written)
    assert [seq for seq, _ in await database.read(logged)] == list(range(1, len(written) + 1))
    assert (await database.read(counts))[AUDIT_QUEUE.name] == 0
    await other.close()


async def test_the_sequencer_runs_beside_and_stops(store: SqlStore, database: Database) -> None:
    """Started, an event has its place soon; one run takes a thousand at most."""
    events = tuple(an_event() for _ in range(2_500))
    await store.commit(Change(root="r", expected=0, events=events))
    assert await Sequencer(database).run_once() == 1_000

    sequencer = Sequencer(database)
    sequencer.start()

    async def complete() -> bool:
        return len(await database.read(logged)) == 2_500

    await until(complete)
    await sequencer.stop()

    assert [event for _, event in await database.read(logged)] == [event.id for event in events]


async def test_what_runs_beside_survives_its_failures() -> None:
    """It is told in the log, and tried again."""
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise Unavailable
        if runs == 2:
            raise RuntimeError("a mistake of ours")
        return 1 if runs < 5 else 0

    periodic = Periodic("test", work, every=SECOND // 1000, full=1)
    periodic.start()

    async def often() -> bool:
        return runs >= 6

    await until(often)
    await periodic.stop()
    after = runs
    await asyncio.sleep(0.05)
    assert runs == after


def counts(connection: Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in METADATA.tables.items()
    }


@pytest.fixture
async def swept(store: SqlStore, database: Database) -> tuple[Retention, SetClock]:
    """One of each thing that ends, and some that stay."""
    user, _ = await keep_person(store, "maya")
    attempt, unknown = an_authentication(user), an_authentication()
    factor = a_factor(user, status=FactorStatus.PENDING, expires_at=NOW + HOUR)
    network = SeenNetwork(user_id=user.id, network="192.0.2.0/24", last_at=NOW - NOW % DAY)
    rows = (attempt, a_challenge(attempt, factor), factor, a_state(factor), a_ticket(b"t" * 32, user.id), network)
    await store.commit(Change(root=user.id, expected=1, new=rows, events=(an_event(user),)))
    await store.commit(Change(root=unknown.id, expected=0, new=(unknown,)))
    answer = IdempotentAnswer(id="idk_1", body_hash=b"h", created_at=NOW, expires_at=NOW + HOUR)
    await store.commit(Change(root="idk_1", expected=0, new=(answer,)))
    clock = SetClock(NOW)
    await SqlEphemeral(database, clock).put("a", b"1", ttl=HOUR)
    assert await SqlBudgets(database, clock).reserve([Cap(key="user:1", limit=3, window=HOUR)]) is None
    return Retention(database, clock), clock


async def test_each_thing_goes_when_its_time_is_over(
    swept: tuple[Retention, SetClock], store: SqlStore, database: Database
) -> None:
    """Not a moment before, and with its root where that is its own; events, users and active factors stay."""
    retention, clock = swept
    before = await database.read(counts)

    async def gone() -> set[str]:
        return {name for name, count in (await retention.run_once()).items() if count}

    assert await gone() == set()
    ends = {
        "ephemeral": NOW + HOUR,
        "budgets": NOW - NOW % HOUR + 2 * HOUR,
        "idempotent_answers": NOW + HOUR + KEEP_ANSWERS,
        "unknown_authentications": NOW + KEEP_UNKNOWN_AUTHENTICATIONS,
        "challenges": NOW + KEEP_CHALLENGES,
        "tickets": NOW + HOUR + KEEP_TICKETS,
        "pending_factors": NOW + HOUR + KEEP_PENDING_FACTORS,
        "authentications": NOW + KEEP_AUTHENTICATIONS,
        "networks": NOW - NOW % DAY + DAY + KEEP_NETWORKS,
    }
    for moment in sorted(set(ends.values())):
        clock.at = moment - SECOND
        assert await gone() == set()
        clock.at = moment + SECOND
        assert await gone() == {name for name, end in ends.items() if end == moment}

    after = await database.read(counts)
    lost = {name: before[name] - after[name] for name in before if before[name] != after[name]}
    assert lost == dict.fromkeys(
        ("ephemeral", "idempotent_answers", "challenges", "tickets", "factors", "factor_state", "seen_networks"), 1
    ) | {"authentications": 2, "roots": 2, "budgets": 1}
    loaded = await store.load(UserKey(username="maya"))
    assert len(loaded.factors) == 1
    # The name of an answer that is gone may be used anew.
    assert await store.commit(Change(root="idk_1", expected=0)) is Outcome.APPLIED


async def test_a_sweep_takes_a_thousand_rows_and_leaves_what_somebody_holds(migrated_postgres_url: str) -> None:
    """It never waits for a lock, and its own are short."""
    database = open_database(migrated_postgres_url)
    store = SqlStore(database)
    tickets = tuple(a_ticket(i.to_bytes(32, "big"), "usr_1") for i in range(1_500))
    await store.commit(Change(root="usr_1", expected=0, new=tickets))
    late = NOW + HOUR + KEEP_TICKETS + SECOND
    holding, release = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        assert isinstance(database, PostgresDatabase)
        async with database.driver() as connection, connection.transaction():
            await connection.fetch("SELECT FROM tickets LIMIT 100 FOR UPDATE")
            holding.set()
            await release.wait()

    holder = asyncio.create_task(hold())
    await holding.wait()
    async with asyncio.timeout(10):
        assert await database.write(lambda connection: sweep(connection, RULES["tickets"], late)) == 1_000
        assert await database.write(lambda connection: sweep(connection, RULES["tickets"], late)) == 400
        assert await database.write(lambda connection: sweep(connection, RULES["tickets"], late)) == 0
    release.set()
    await holder
    assert await database.write(lambda connection: sweep(connection, RULES["tickets"], late)) == 100
    assert (await database.read(counts))[TICKETS.name] == 0
    await store.close()
    await database.close()


@pytest.mark.requirement("G3")
async def test_another_process_tells_that_what_is_remembered_is_stale(database: Database, database_url: str) -> None:
    """Of a shared change the next look knows, of no other; without a database nothing is trusted for long."""
    clock = SetClock(NOW)
    shared = Shared(SqlCatalog(database), clock)
    other = open_database(database_url)
    elsewhere = SqlStore(other)
    await shared.look()
    seen = shared.epoch

    await elsewhere.commit(Change(root="app_1", expected=0))
    await shared.look()
    assert shared.epoch == seen

    await elsewhere.commit(Change(root="app_1", expected=1, shared=True))
    await shared.look()
    assert shared.epoch == seen + 1
    await elsewhere.close()
    await other.close()

    await database.close()
    clock.at += TRUSTED_FOR - 1
    with pytest.raises(Unavailable):
        await shared.look()
    assert shared.trusted()
    clock.at += 1
    assert not shared.trusted()


def roots(connection: Connection) -> int:
    """How many roots there are."""
    return connection.execute(select(func.count()).select_from(ROOTS)).scalar_one()


async def test_a_read_sees_one_moment(database: Database, database_url: str) -> None:
    """Both statements of a read see the same, whoever writes between them; and a read cannot write."""
    other = open_database(database_url)
    loop = asyncio.get_running_loop()
    elsewhere = SqlStore(other)

    def twice(connection: Connection) -> tuple[int, int]:
        first = roots(connection)
        writing = asyncio.run_coroutine_threadsafe(elsewhere.commit(Change(root="r", expected=0)), loop)
        if database.dialect == "sqlite":
            writing.result(10)
        else:
            await_only(asyncio.wrap_future(writing))
        return first, roots(connection)

    assert await database.read(twice) == (0, 0)
    assert await database.read(roots) == 1
    with pytest.raises(Unavailable):
        await database.read(lambda connection: connection.execute(update(GENERATION).values(n=9)))
    await elsewhere.close()
    await other.close()
