"""The application that uvicorn runs: opens everything as it starts, closes it as it stops."""

from __future__ import annotations

import fcntl
import gc
import ipaddress
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from litestar import Litestar

from nightlatch.adapters.delivery.demo import DemoGateway
from nightlatch.adapters.logs import configure_logging
from nightlatch.adapters.sql.periodic import Periodic
from nightlatch.adapters.sql.url import SqliteAddress, parse_address
from nightlatch.bootstrap.errors import CannotStart
from nightlatch.bootstrap.gateways import readers_of
from nightlatch.bootstrap.opening import Opened, open_everything
from nightlatch.bootstrap.outlets import demo_outlets, open_outlets
from nightlatch.config import Settings, load_settings
from nightlatch.domain.time import SECOND
from nightlatch.web.app import build
from nightlatch.web.common.metrics import CountedOutbox, CountedStore, Metrics
from nightlatch.web.pages.routes import page_handlers
from nightlatch.web.settings import WebSettings

YOUNG_OBJECTS = 10_000
"""How many more objects may be alive before the collector looks at the youngest."""

log = structlog.get_logger("nightlatch.server")


def make_app(settings: Settings | None, *, parent: int | None, demo: bool) -> Application:
    """See ``nightlatch.bootstrap.create_app``."""
    configure_logging("WARNING" if demo else "INFO")
    return Application(settings or load_settings(), parent=parent, demo=demo)


class Application:
    """Holds the real application between start and stop, since it is made of open ports.

    ``failure`` tells why it did not start.
    """

    def __init__(self, settings: Settings, *, parent: int | None, demo: bool) -> None:
        self._settings = settings
        self._parent = parent
        self._demo = demo
        self._serving: Litestar | None = None
        self.failure: CannotStart | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self._serving is not None:
            await self._serving(scope, receive, send)
        else:
            raise RuntimeError("the server needs the lifespan protocol: run uvicorn with --lifespan on")

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._serve(scope, receive, send)
        except CannotStart as error:
            self.failure = error
            await receive()
            await send({"type": "lifespan.startup.failed", "message": ""})
        finally:
            self._serving = None

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        metrics = Metrics()
        with _alone(self._settings):
            async with (
                open_everything(
                    self._settings,
                    make=self._parent is None,
                    wrap_store=lambda store: CountedStore(store, metrics),
                    outlets=demo_outlets if self._demo else open_outlets,
                    wrap_outbox=lambda outbox: CountedOutbox(outbox, metrics),
                ) as opened,
                _not_orphaned(self._parent),
            ):
                self._serving = self._built(opened, metrics)
                _set_heap_aside()
                log.info("serving", url=self._settings.public_url)
                await self._serving(scope, receive, send)

    def _built(self, opened: Opened, metrics: Metrics) -> Litestar:
        web = web_settings(self._settings, demo=self._demo)
        inbox = next((way for way in opened.outlets.texts if isinstance(way, DemoGateway)), None)
        handlers = page_handlers(opened.ports, web, inbox)
        receipts = readers_of(opened.outlets.texts)
        return build(opened.ports, web, extra_handlers=handlers, metrics=metrics, receipts=receipts)


def _set_heap_aside() -> None:
    """Let the collector look only at what requests make.

    Modules and their data, some 150,000 objects, live as long as the process. Going through them each time held up
    every request of that moment for some 100 ms, several times a minute under load.
    """
    gc.collect()
    gc.freeze()
    # What is left makes few cycles; to look every 700 objects, the default, took a tenth of the processor.
    gc.set_threshold(YOUNG_OBJECTS)


def web_settings(settings: Settings, *, demo: bool = False) -> WebSettings:
    """What the web layer is told."""
    return WebSettings(
        public_url=settings.public_url,
        trusted_proxies=tuple(map(ipaddress.ip_network, settings.trusted_proxies)),
        metrics_token=settings.metrics_token,
        brand=settings.brand,
        demo=demo,
    )


@asynccontextmanager
async def _not_orphaned(parent: int | None) -> AsyncIterator[None]:
    """Stop when the parent is gone: workers that nobody supervises would hold the port for ever."""

    async def look() -> int:
        if os.getppid() != parent:
            log.error("the parent process is gone, stopping")
            signal.raise_signal(signal.SIGTERM)
        return 0

    watch = Periodic("parent", look, every=SECOND, full=1)
    if parent is not None:
        watch.start()
    try:
        yield
    finally:
        await watch.stop()


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One serving process for an SQLite file: waiters are woken within the process only.

    The lock ends with the process, however that ends.
    """
    address = parse_address(settings.database_url)
    if not isinstance(address, SqliteAddress):
        yield
        return
    address.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = address.path.with_name(address.path.name + ".serving")
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CannotStart(
            f"Another server serves {address.path} already. SQLite serves with one process: "
            "stop that one, or set database_url to postgresql://… for more."
        ) from None
    finally:
        os.close(lock)
