"""The real parts that a test may ask for by name."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.async_api import Browser

from tests.support import chromium as chromium_support
from tests.support import ports as ports_support
from tests.support import postgres as postgres_support
from tests.support import valkey as valkey_support


@pytest.fixture(scope="session")
def postgres() -> postgres_support.PostgresServer:
    """The PostgreSQL of this run, shared by all workers; it ends with the run."""
    return postgres_support.shared()


@pytest.fixture
def postgres_url(postgres: postgres_support.PostgresServer) -> Iterator[str]:
    """The address of an empty PostgreSQL database of this test's own."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="session")
def migrated_template(postgres: postgres_support.PostgresServer) -> str:
    """The name of a PostgreSQL database that holds our tables and nothing else, made once a run."""

    # Here, so that tests of pure parts load no SQL.
    from nightlatch.adapters.sql.migrate import migrate_database

    def migrate(url: str) -> None:
        # In a thread of its own, because a fixture must leave the loop of the test's thread as it is.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, migrate_database(url, time.time_ns() // 1000)).result()

    return postgres.template("migrated", migrate)


@pytest.fixture
def migrated_postgres_url(postgres: postgres_support.PostgresServer, migrated_template: str) -> Iterator[str]:
    """The address of a PostgreSQL database of this test's own, with our tables in it."""
    url = postgres.create_database(migrated_template)
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="session")
def valkey() -> Iterator[valkey_support.ValkeyServer]:
    """The Valkey of this worker."""
    server = valkey_support.start()
    yield server
    server.stop()


@pytest.fixture
def valkey_url(valkey: valkey_support.ValkeyServer) -> str:
    """The address of a Valkey that holds nothing."""
    valkey.flush()
    return valkey.url


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium of this test's own."""
    async with chromium_support.open_chromium() as browser:
        yield browser


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[ports_support.World]:
    """Use cases on a new SQLite database, with a clock that the test sets."""
    async with ports_support.open_world(sqlite_url) as opened:
        yield opened


@pytest.fixture
async def each_world(database_url: str) -> AsyncIterator[ports_support.World]:
    """The same on each kind of database in turn."""
    async with ports_support.open_world(database_url) as opened:
        yield opened
