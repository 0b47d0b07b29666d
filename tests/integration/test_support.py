"""The servers that tests start are real, apart from each other, and gone when their run is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import valkey as valkey_client
from playwright.async_api import Browser

from tests.support import postgres as postgres_support
from tests.support import run
from tests.support.kept import DidNotStart, free_port, keep, new_folder
from tests.support.postgres import PostgresServer


async def test_postgres_asks_for_a_password_and_gives_an_empty_database(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    finally:
        await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_url.replace(":secret@", ":guess@"))


def test_databases_are_copies_of_a_template_that_is_made_once(postgres: PostgresServer) -> None:
    made: list[str] = []

    def prepare(url: str) -> None:
        made.append(url)
        postgres.sql("CREATE TABLE stand (name text)", database=url.rpartition("/")[2])

    first = postgres.template(f"copies_{os.getpid()}", prepare)
    assert postgres.template(f"copies_{os.getpid()}", prepare) == first
    assert len(made) == 1
    one, other = postgres.create_database(first), postgres.create_database(first)
    postgres.sql("INSERT INTO stand VALUES ('one')", database=one.rpartition("/")[2])
    assert postgres.sql("SELECT count(*) FROM stand", database=other.rpartition("/")[2]) == "0"
    assert "COPY public.stand" in postgres.dump(one)
    for url in (one, other):
        postgres.drop_database(url)


async def test_a_migrated_database_holds_our_tables(migrated_postgres_url: str) -> None:
    connection = await asyncpg.connect(migrated_postgres_url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert {"roots", "users", "factors"} <= {row["tablename"] for row in tables}
    finally:
        await connection.close()


def test_valkey_starts_each_test_empty(valkey_url: str) -> None:
    client = valkey_client.from_url(valkey_url)
    assert client.dbsize() == 0
    client.set("left", "behind")
    client.close()


async def test_chromium_shows_a_page(chromium: Browser) -> None:
    page = await chromium.new_page()
    await page.set_content("<h1>Night latch</h1>")
    assert await page.inner_text("h1") == "Night latch"


def test_a_durable_postgres_syncs_every_commit() -> None:
    server = postgres_support.start(durable=True)
    try:
        assert server.sql("SHOW fsync") == server.sql("SHOW synchronous_commit") == "on"
    finally:
        server.stop()
    assert not server.kept.folder.exists()


def test_servers_end_when_their_run_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = (
        "import pathlib, sys, time\n"
        "from tests.support import postgres\n"
        "server = postgres.start()\n"
        "said = f'{(server.kept.folder / \"pid\").read_text()} {server.kept.folder}'\n"
        f"pathlib.Path({str(told)!r}).write_text(said)\n"
        "time.sleep(600)\n"
    )
    without_run = {name: value for name, value in os.environ.items() if name not in (run.FOLDER, run.OWNER)}
    victim = subprocess.Popen([sys.executable, "-c", program], env=without_run, cwd=Path(__file__).parents[2])
    wait_until(lambda: told.exists() and " " in told.read_text())
    pid, _, folder = told.read_text().partition(" ")
    os.kill(int(pid), 0)

    victim.send_signal(signal.SIGKILL)
    victim.wait()

    wait_until(lambda: not Path(folder).exists())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(DidNotStart, match="no such option"):
        keep(
            ["/bin/sh", "-c", "echo no such option >&2; exit 1"],
            new_folder("broken"),
            owner=os.getpid(),
            ready=lambda: False,
        )


def test_a_program_that_cannot_be_run_says_why() -> None:
    with pytest.raises(DidNotStart, match="No such file"):
        keep(["/nowhere/server"], new_folder("broken"), owner=os.getpid(), ready=lambda: False)


def test_free_ports_are_free() -> None:
    assert free_port() > 1023


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Return when the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)
