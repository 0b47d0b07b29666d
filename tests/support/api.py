"""The JSON API on real parts: called in process, or served by uvicorn on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn
from litestar import Litestar

from nightlatch.adapters.sql.migrate import migrate_database
from nightlatch.adapters.system import SystemClock
from nightlatch.app.applications.create import create_application
from nightlatch.app.messages import NewApplication
from nightlatch.domain.factors import totp
from nightlatch.domain.factors.otpauth import parse
from nightlatch.domain.time import SECOND
from nightlatch.web.app import build
from nightlatch.web.pages.routes import page_handlers
from nightlatch.web.settings import WebSettings
from tests.support.ports import OPERATOR, SITE, World, open_world

METRICS_TOKEN = "let-me-count"
SETTINGS = WebSettings(public_url=SITE.public_url, metrics_token=METRICS_TOKEN)
CONTEXT = {"ip": "192.0.2.7", "user_agent": "Mozilla/5.0"}


@dataclass
class Application:
    """A registered application, as it calls over HTTP."""

    id: str
    key: str
    http: httpx.AsyncClient

    async def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """One call with this application's key; ``body`` is sent as JSON."""
        headers = {"authorization": f"Bearer {self.key}"} | more.pop("headers", {})
        if body is not None:
            more["json"] = body
        return await self.http.request(method, path, headers=headers, **more)


@dataclass
class Api:
    """The application under test with its world."""

    world: World
    app: Litestar
    http: httpx.AsyncClient

    async def application(self, *scopes: str, name: str = "bank", **fields: Any) -> Application:
        """Register one; with every scope if none is named."""
        new = NewApplication(name=name, scopes=list(scopes or ("admin",)), first_factor="pwd", **fields)
        created = await create_application(self.world.ports, OPERATOR, new)
        return Application(created.id, created.api_key, self.http)

    async def person(self, application: Application, username: str = "maya") -> str:
        """A person without factors; the user's id."""
        created = await application("POST", "/v1/users", {"username": username})
        assert created.status_code == 201, created.text
        return str(created.json()["id"])

    async def phone(self, application: Application, user: str) -> ApiPhone:
        """An active TOTP factor of this user, made over the API; its next code is a new one."""
        made = await application("POST", f"/v1/users/{user}/factors", {"kind": "totp", "label": "Phone"})
        assert made.status_code == 201, made.text
        phone = ApiPhone(self.world, made.json()["id"], made.json()["enrollment"]["uri"])
        active = await application(
            "POST", f"/v1/users/{user}/factors/{phone.factor}/activation", {"code": phone.code()}
        )
        assert active.status_code == 200, active.text
        phone.backup_codes = active.json()["backup_codes"]
        self.world.clock.advance(30 * SECOND)
        return phone


class ApiPhone:
    """An authenticator app that scanned what the API answered."""

    def __init__(self, world: World, factor: str, uri: str) -> None:
        self._clock = world.clock
        self._scanned = parse(uri)
        self.factor = factor
        self.backup_codes: list[str] = []

    def code(self, offset: int = 0) -> str:
        """The code of now, or of so many periods later."""
        at = self._clock.now() + offset * self._scanned.period * SECOND
        return totp.code_at(self._scanned.secret, at, self._scanned.parameters())

    def wrong(self) -> str:
        """A code of the right form that no window holds."""
        right = {self.code(offset) for offset in (-1, 0, 1)}
        return next(code for code in (f"{n:06d}" for n in range(9)) if code not in right)


@asynccontextmanager
async def open_api(world: World, settings: WebSettings = SETTINGS) -> AsyncIterator[Api]:
    """The API and the pages in this process, without a server."""
    app = build(world.ports, settings, extra_handlers=page_handlers(world.ports, settings))
    transport = httpx.ASGITransport(cast("Any", app), client=("192.0.2.99", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as http:
        yield Api(world, app, http)


@asynccontextmanager
async def serving(app: Litestar, *, port: int = 0) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """A real server in this loop: its address, and itself."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", proxy_headers=False, timeout_graceful_shutdown=10
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        if running.done():
            running.result()
            raise RuntimeError("the server did not start")
        await asyncio.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await running


@dataclass(frozen=True)
class Served:
    """An API that is served in a thread of its own, for clients that block."""

    url: str
    key: str


Prepare = Callable[[Api, Application], Awaitable[None]]


@contextmanager
def serving_in_thread(folder: Path, prepare: Prepare) -> Iterator[Served]:
    """A server with the real clock and one application that holds every scope, prepared first."""
    with ThreadPoolExecutor(1) as thread:
        started: Future[tuple[Served, Callable[[], object]]] = Future()
        running = thread.submit(lambda: asyncio.run(_serve(folder, prepare, started)))
        # Whichever comes first: it serves, or it failed before it could.
        running.add_done_callback(lambda ended: None if started.done() else started.set_exception(_why(ended)))
        served, stop = started.result(30)
        try:
            yield served
        finally:
            stop()
            running.result(30)


def _why(ended: Future[None]) -> BaseException:
    return ended.exception() or RuntimeError("the server ended before it began")


async def _serve(folder: Path, prepare: Prepare, started: Future[tuple[Served, Callable[[], object]]]) -> None:
    """Serve until the function that is told with the address is called, from whatever thread."""
    database, clock, over = f"sqlite:///{folder}/served.db", SystemClock(), asyncio.Event()
    loop = asyncio.get_running_loop()
    await migrate_database(database, clock.now())
    async with open_world(database) as world:
        world.clock.at = clock.now()
        world.ports = replace(world.ports, clock=clock)
        async with open_api(world) as api:
            application = await api.application()
            await prepare(api, application)
            async with serving(api.app) as (url, _):
                started.set_result((Served(url, application.key), partial(loop.call_soon_threadsafe, over.set)))
                await over.wait()
