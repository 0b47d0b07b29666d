"""``nightlatch serve`` and ``nightlatch demo``."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightlatch.cli.failures import USAGE, Failure
from nightlatch.cli.session import HERE, Where
from nightlatch.config import Settings, default_data_dir, load_settings

BACKLOG = 2048


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    where: Where = HERE,
) -> int:
    """Migrate the database, make keys at the first start, and serve.

    Parameters
    ----------
    host
        The address to listen on; 127.0.0.1 by default.
    port
        The port; 8080 by default, 0 for any free one.
    workers
        Server processes. SQLite serves with one.
    """
    settings = where.settings(host=host, port=port, workers=workers)
    with _listening(settings) as sock:
        actual = sock.getsockname()[1]
        if actual != settings.port:
            settings = where.settings(host=host, port=actual, workers=workers)
        return _run(settings, sock)


def demo(*, port: int = 8080, data: Path | None = None) -> int:
    """Look at Nightlatch on this machine: a bank, a phone and the reasons, with sample people.

    It listens on loopback only and keeps its data apart; other settings do not count.

    Parameters
    ----------
    port
        The port, 0 for any free one.
    data
        Where to keep the demo's database.
    """
    folder = data or default_data_dir(os.environ) / "demo"

    def settings_for(number: int) -> Settings:
        return load_settings(
            {"port": number, "data_dir": str(folder), "issuer": "Meridian", "brand.name": "Meridian"}, alone=True
        )

    settings = settings_for(port)
    with _listening(settings) as sock:
        return _run(settings_for(sock.getsockname()[1]), sock, demo=True)


def _run(settings: Settings, sock: socket.socket, *, demo: bool = False) -> int:
    # No other command needs a web server, nor the time to load it.
    from nightlatch.cli.running import run

    return run(settings, sock, demo=demo)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """A bound socket, before anything is touched: a port that is taken is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        sock = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Failure(
            f"cannot listen on {settings.host} port {settings.port}: {reason}. Choose another with --port.", USAGE
        ) from None
    with sock:
        sock.set_inheritable(True)
        yield sock
