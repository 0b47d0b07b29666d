"""The connection to Valkey, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from nightlatch.domain.errors import Unavailable

SECONDS_TO_CONNECT = 2.0
SECONDS_TO_ANSWER = 2.0


def open_valkey(url: str) -> Any:
    """A pool of connections; ``valkey://HOST:PORT/DB``, ``valkeys://`` with TLS, or ``unix://PATH``."""
    return Valkey.from_url(
        url, socket_connect_timeout=SECONDS_TO_CONNECT, socket_timeout=SECONDS_TO_ANSWER, health_check_interval=15
    )


@contextmanager
def translated() -> Iterator[None]:
    """Whatever Valkey refuses or fails to answer, we cannot do now."""
    try:
        yield
    except (ValkeyError, OSError) as error:
        raise Unavailable from error
