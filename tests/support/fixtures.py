"""The real parts that a test may ask for by name."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser

from tests.support import chromium as chromium_support
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
