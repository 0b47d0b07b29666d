"""A server in this process, or several below it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from nightlatch.adapters.logs import configure_logging
from nightlatch.bootstrap import create_app, prepare
from nightlatch.cli.connections import BoundedProtocol
from nightlatch.cli.failures import UNUSABLE
from nightlatch.cli.output import say
from nightlatch.config import Settings

SECONDS_TO_ANSWER = 60
"""Workers that say nothing for so long are replaced. On a busy machine one takes more than uvicorn's 5 s to import
what it needs; killing it for that begins the same work anew, again and again."""

SECONDS_TO_FINISH = 10
"""Requests under way get so long; who waits is told ``pending`` at once."""

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def run(settings: Settings, sock: socket.socket, *, demo: bool = False) -> int:
    """Serve on this socket until told to stop. The answer is the exit code. Raises ``CannotStart``."""
    # Who looks at the demo wants its address, not a line for each picture it shows.
    configure_logging("WARNING" if demo else "INFO")
    if settings.workers == 1:
        return _run_here(settings, sock, demo=demo)
    with _shared_metrics():
        return _run_workers(settings, sock)


class _Announcing(uvicorn.Server):
    """Says where it is once it is there."""

    address = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            say(f"Nightlatch is at {self.address}")


def _run_here(settings: Settings, sock: socket.socket, *, demo: bool) -> int:
    app = create_app(settings, demo=demo)
    server = _Announcing(_config(settings, app))
    server.address = settings.public_url + ("/demo" if demo else "")
    try:
        server.run(sockets=[sock])
    except SystemExit:
        if app.failure is None:
            raise
    if app.failure is not None:
        raise app.failure
    return 0 if server.started else UNUSABLE


def _run_workers(settings: Settings, sock: socket.socket) -> int:
    # Once, here: workers that find everything made need not race for it.
    asyncio.run(prepare(settings))
    say(f"Nightlatch is at {settings.public_url}")
    config = _config(settings, partial(create_app, settings, parent=os.getpid()), factory=True)
    config.workers = settings.workers
    supervisor = _Supervisor(config, sockets=[sock])
    supervisor.run()
    failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    return UNUSABLE if failed else 0


class _Supervisor(Multiprocess):
    """Hears at once of a worker that ends while it is asked whether it is well.

    uvicorn keeps the worker's end of that pipe open in the parent too. So the parent would wait for the whole of
    ``SECONDS_TO_ANSWER``, and meanwhile neither replace the worker nor stop.
    """

    def init_processes(self) -> None:
        super().init_processes()
        self._leave_their_ends()

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        self._leave_their_ends()

    def _leave_their_ends(self) -> None:
        for process in self.processes:
            process.child_conn.close()


def _config(settings: Settings, app: object, *, factory: bool = False) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # ours is typed loosely, as ASGI is
        factory=factory,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        # Whose forwarded address counts is decided by trusted_proxies (X8).
        proxy_headers=False,
        server_header=False,
        # Paths can hold tokens (X4); requests are counted instead.
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
        timeout_worker_healthcheck=SECONDS_TO_ANSWER,
    )


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder where the workers keep their counters, so that any of them can add up all."""
    if METRICS_FOLDER in os.environ:
        yield
        return
    folder = tempfile.mkdtemp(prefix="nightlatch-metrics-")
    os.environ[METRICS_FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[METRICS_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)
