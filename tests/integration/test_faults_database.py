"""The database goes away, hangs, is locked: the server says so, approves nothing, and goes on by itself afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nightlatch.adapters.sql.coalescer import Coalescer
from nightlatch.domain.errors import Unavailable
from tests.support import postgres as postgres_support
from tests.support import run
from tests.support.installation import WITHIN, Installation, children
from tests.support.kept import Kept, keep
from tests.support.load import Load, check, read_kept
from tests.support.postgres import PostgresServer
from tests.support.server import Client, Person, Site, told

SEED = 5
pytestmark = pytest.mark.xdist_group("faults-database")


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that may be broken, with full durability."""
    server = postgres_support.start(durable=True)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def start_again(own_postgres: PostgresServer) -> Iterator[Callable[[], None]]:
    """Starts it once it was stopped, on the files that it left."""
    started: list[Kept] = []
    folder = own_postgres.kept.folder
    address = {"port": str(own_postgres.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    command: list[str | Path] = [own_postgres.binaries / "postgres", "-D", folder / "data"]
    for name, value in address.items():
        command += ["-c", f"{name}={value}"]

    def ready() -> bool:
        probe: list[str | Path] = [
            own_postgres.binaries / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(own_postgres.port),
        ]
        return subprocess.run(probe, check=False).returncode == 0

    def start() -> None:
        deadline = time.monotonic() + WITHIN
        while not (folder / "ended").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (folder / "ended").unlink()
        started.append(keep(command, folder, owner=run.owner(), ready=ready))

    yield start
    for kept in started:
        kept.stop()


@pytest.fixture
def breakable(own_postgres: PostgresServer, tmp_path: Path) -> Site:
    """A site on it, with one worker."""
    return Site(Installation(tmp_path / "data", own_postgres.create_database()), 1)


@asynccontextmanager
async def loaded(client: Client) -> AsyncIterator[Load]:
    """Some people under mixed load for as long as this lasts."""
    people = list(await asyncio.gather(*(client.with_hotp() for _ in range(8))))
    load = Load(client, people, SEED)
    running = asyncio.create_task(load.run(tasks=12))
    try:
        await load.heard(20, "approved")
        yield load
    finally:
        load.stopping = True
        await running


async def status_of(client: Client, path: str) -> int:
    """What an open address answers."""
    return (await client.http.get(path)).status_code


async def back_within(client: Client, seconds: float) -> None:
    """Wait until the server says that it is ready."""
    deadline = time.monotonic() + seconds
    while await status_of(client, "/readyz") != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


@pytest.mark.requirement("G3", "G1", "T4")
async def test_a_postgresql_that_stops_and_comes_back(
    breakable: Site, own_postgres: PostgresServer, start_again: Callable[[], None]
) -> None:
    """In the middle of load. While it is away every answer is 503, none an approval."""
    with breakable.serving():
        async with breakable.calling() as client:
            async with loaded(client) as load:
                own_postgres.kept.signal(signal.SIGINT)
                await load.heard(40, "unknown")
                while_away = len(load.answers)
                assert await status_of(client, "/healthz") == 200
                assert await status_of(client, "/readyz") == 503
                await load.heard(400, "unknown")  # long enough for people to be out of sight, were they to press on
                assert {answer.said for answer in load.answers[while_away:]} == {"unknown"}
                await asyncio.to_thread(start_again)
                await load.heard(20, "approved")
            async with breakable.rows() as rows:
                check(await read_kept(rows), load.answers, load.people)


@pytest.mark.requirement("G3", "G1", "T4")
async def test_connections_that_are_cut_under_load(breakable: Site, own_postgres: PostgresServer) -> None:
    """In the middle of a statement, again and again: nobody knows what became of it, so nobody is let in by it."""
    with breakable.serving():
        async with breakable.calling() as client:
            async with loaded(client) as load:
                cuts, deadline = 0, time.monotonic() + WITHIN
                while cuts < 8 or not any(answer.said == "unknown" for answer in load.answers):
                    assert time.monotonic() < deadline
                    cuts += 1
                    await asyncio.sleep(0.25)
                    name = breakable.database_url.rpartition("/")[2]
                    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                    await asyncio.to_thread(own_postgres.sql, cut)
                await load.heard(20, "approved")
            async with breakable.rows() as rows:
                check(await read_kept(rows), load.answers, load.people)


@pytest.mark.requirement("G3")
async def test_a_postgresql_that_hangs(breakable: Site, own_postgres: PostgresServer) -> None:
    """It takes connections and says nothing: who asks is told so in time, and the server goes on when it does."""
    with breakable.serving():
        async with breakable.calling() as client:
            people = [await client.with_totp() for _ in range(4)]
            begun = [await client.authentication(person) for person in people]
            everybody = hold(own_postgres)
            try:
                started = time.monotonic()
                answers = await asyncio.gather(
                    *(client.verify(person, person.code(1)) for person in people),
                    *(client.answer(one["id"], person.code(1)) for one, person in zip(begun, people, strict=True)),
                    *(client.verify(person, person.wrong()) for person in people),
                    client("POST", "/v1/users", {"username": "somebody"}),
                    client("GET", "/v1/users"),
                )
                assert time.monotonic() - started < 45
                assert told(answers) == {"unavailable": len(answers)}
                assert {answer.status_code for answer in answers} == {503}
                assert await status_of(client, "/healthz") == 200
            finally:
                for pid in everybody:
                    os.kill(pid, signal.SIGCONT)
            await back_within(client, 45)
            await let_in_once(client, people)


def hold(server: PostgresServer) -> list[int]:
    """Stop every process of a PostgreSQL without ending it."""
    first = int((server.kept.folder / "pid").read_text("ascii"))
    everybody = [first, *children(first)]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    return everybody


async def let_in_once(client: Client, people: list[Person]) -> None:
    """A code that came while the database was away counts once: it was used then, by nobody, or is good now."""
    for person in people:
        code = person.code(1)
        said = [(await client.verify(person, code)).json() for _ in range(2)]
        assert said[0]["status"] == "approved" or said[0]["reason"] == "replayed", said
        assert said[1]["status"] == "rejected", said


@pytest.mark.requirement("G3")
async def test_an_sqlite_file_that_somebody_else_writes_for_long(tmp_path: Path) -> None:
    """Reading goes on; what must be written is refused after five seconds, and works again once the other is done."""
    locked = Site(Installation(tmp_path / "data"), 1)
    with locked.serving():
        async with locked.calling() as client:
            people = [await client.with_totp() for _ in range(3)]
            other = sqlite3.connect(f"{locked.installation.folder}/nightlatch.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            try:
                answers = await asyncio.gather(
                    *(client.verify(person, person.code(1)) for person in people),
                    *(client.verify(person, person.wrong()) for person in people),
                    client("POST", "/v1/users", {"username": "somebody"}),
                )
                assert told(answers) == {"unavailable": len(answers)}
                # Nobody waits for those before them one after the other.
                assert time.monotonic() - started < 20
                assert (await client("GET", f"/v1/users/{people[0].id}")).status_code == 200
            finally:
                other.execute("ROLLBACK")
                other.close()
            await back_within(client, 15)
            await let_in_once(client, people)


@pytest.mark.requirement("G3")
async def test_an_sqlite_file_that_is_locked_now_and_then(tmp_path: Path) -> None:
    """Under load, by a writer that comes and goes: nobody notices but by waiting."""
    shared = Site(Installation(tmp_path / "data"), 1)
    with shared.serving():
        async with shared.calling() as client:
            async with loaded(client) as load:
                other = sqlite3.connect(f"{shared.installation.folder}/nightlatch.db", isolation_level=None)
                for _ in range(6):
                    other.execute("BEGIN IMMEDIATE")
                    await asyncio.sleep(0.3)
                    other.execute("ROLLBACK")
                    await asyncio.sleep(0.1)
                other.close()
            assert not any(answer.said == "unknown" for answer in load.answers)
            async with shared.rows() as rows:
                check(await read_kept(rows), load.answers, load.people)


@pytest.mark.requirement("G3")
async def test_who_waits_behind_a_database_that_hangs_is_told_in_time() -> None:
    """And is not sent any more: nothing of theirs was done. Whoever comes later is served."""
    sent: list[int] = []

    async def hang(items: Sequence[int]) -> Sequence[int]:
        sent.extend(items)
        await asyncio.sleep(0.3)
        return items

    queue = Coalescer[int, int](hang, limit=2, lanes=1, key_of=lambda item: str(item % 3), patience=0.2)
    answers = await asyncio.gather(*(queue.submit(item) for item in range(9)), return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, Unavailable)] == sent == [0, 1]
    assert await queue.submit(9) == 9
    await queue.close()
