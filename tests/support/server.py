"""A server in processes of its own, an application that calls it over HTTP, and people with codes to send."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.domain.factors import hotp, totp
from nightlatch.domain.factors.parameters import TotpParameters
from nightlatch.domain.factors.seed import encode_secret
from nightlatch.domain.time import SECOND
from tests.support.codes import distinct_secret
from tests.support.installation import Installation, Server
from tests.support.postgres import PostgresServer

CONTEXT = {"ip": "192.0.2.7", "user_agent": "Mozilla/5.0"}
BACK = "http://localhost:9/back"
CROWD = 50
TIMEOUT = 60.0


@dataclass
class Site:
    """An installation, the server that runs on it, and the key of an application that may do everything."""

    installation: Installation
    workers: int
    application: str = ""
    key: str = ""
    server: Server | None = None

    @property
    def sqlite(self) -> bool:
        """Whether it keeps its rows in a file."""
        return self.installation.database is None

    @property
    def url(self) -> str:
        """Where the server answers."""
        assert self.server is not None
        return self.server.url

    @property
    def database_url(self) -> str:
        """The database, as it is opened."""
        return self.installation.database or f"sqlite:///{self.installation.folder}/nightlatch.db"

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """Run the server; the application is registered the first time."""
        with self.installation.serving("--workers", str(self.workers)) as server:
            self.server = server
            if not self.key:
                # In a process of its own: a test's loop may be running in this one.
                new = ("app", "create", "bank", "--scope", "admin", "--return-url", BACK, "--json")
                made = json.loads(self.installation.run_apart(*new).out)
                self.application, self.key = made["id"], made["api_key"]
            yield server

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[Client]:
        """The application, ready to call."""
        limits = httpx.Limits(max_connections=CROWD, max_keepalive_connections=CROWD)
        async with httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT, limits=limits) as http:
            yield Client(self, http)

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[Database]:
        """The database itself, beside the server."""
        database = open_database(self.database_url)
        try:
            yield database
        finally:
            await database.close()


@dataclass
class Person:
    """Somebody with an account, who holds what they enrolled. Time is the machine's own."""

    id: str
    username: str
    factor: str = ""
    secret: bytes = b""
    presses: int = 0
    backup_codes: list[str] = field(default_factory=list)

    def code(self, offset: int = 0) -> str:
        """The TOTP code of now, or of so many periods later."""
        at = time.time_ns() // 1000 + offset * 30 * SECOND
        return totp.code_at(self.secret, at, TotpParameters())

    def press(self) -> str:
        """The next HOTP code."""
        self.presses += 1
        return self.code_of(self.presses - 1)

    def code_of(self, press: int) -> str:
        """The HOTP code of one press, the first of which is 0."""
        return hotp.code_at(self.secret, press)

    def wrong(self) -> str:
        """A code of the right form that is right neither now nor soon, in time or presses."""
        right = {self.code(offset) for offset in range(-2, 8)}
        right |= {self.code_of(press) for press in range(max(0, self.presses - 64), self.presses + 64)}
        return next(code for code in (f"{secrets.randbelow(10**6):06d}" for _ in range(100)) if code not in right)


@dataclass
class Client:
    """The application, as it calls; ``http`` keeps one connection for each of a crowd."""

    site: Site
    http: httpx.AsyncClient

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One call with the application's key."""
        sent = {"authorization": f"Bearer {self.site.key}"} | headers
        return await self.http.request(method, path, headers=sent, json=body)

    async def made(self, path: str, body: Any, status: int = 201) -> dict[str, Any]:
        """What a POST answered, which must succeed; one of a crowd tries again."""
        response = await self("POST", path, body)
        for _ in range(20):
            if response.status_code != 429:
                break
            await asyncio.sleep(0.1)
            response = await self("POST", path, body)
        assert response.status_code == status, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def person(self) -> Person:
        """An account without factors, under a name that nobody else has."""
        made = await self.made("/v1/users", {"username": f"maya-{secrets.token_hex(6)}"})
        return Person(made["id"], made["username"])

    async def begun(self, person: Person, kind: str = "totp", **fields: Any) -> Person:
        """A pending factor with a secret of the person's own."""
        person.secret, person.presses = distinct_secret(), 0
        new = {"kind": kind, "secret": encode_secret(person.secret)} | fields
        person.factor = (await self.made(f"/v1/users/{person.id}/factors", new))["id"]
        return person

    async def activated(self, person: Person, code: str) -> Person:
        """The person's factor, turned on."""
        path = f"/v1/users/{person.id}/factors/{person.factor}/activation"
        person.backup_codes = (await self.made(path, {"code": code}, 200))["backup_codes"]
        return person

    async def with_totp(self) -> Person:
        """Somebody with an active TOTP factor. The code of now is used; those of the next two periods are not."""
        person = await self.begun(await self.person())
        return await self.activated(person, person.code())

    async def with_hotp(self) -> Person:
        """Somebody with an active HOTP factor."""
        person = await self.begun(await self.person(), "hotp")
        return await self.activated(person, person.press())

    async def authentication(self, person: Person, **fields: Any) -> dict[str, Any]:
        """A sign-in that waits for an answer."""
        body = {"user": person.id, "context": CONTEXT} | fields
        begun = await self.made("/v1/authentications", body)
        assert begun["decision"] == "challenge", begun
        return begun

    async def answer(self, authentication: str, code: str) -> httpx.Response:
        """A code for a sign-in."""
        return await self("POST", f"/v1/authentications/{authentication}/verifications", {"code": code})

    async def verify(self, person: Person, code: str, **fields: Any) -> httpx.Response:
        """Decision and verification at once."""
        return await self("POST", "/v1/verify", {"user": person.id, "code": code, "context": CONTEXT} | fields)

    async def approval(self, person: Person, code: str) -> str:
        """The owner's approval for changes to their factors."""
        begun = await self.authentication(person, action="manage_factors")
        answered = await self.answer(begun["id"], code)
        assert answered.json()["status"] == "approved", answered.text
        return str(begun["id"])


async def crowd(one: Callable[[int], Awaitable[httpx.Response]], size: int = CROWD) -> list[httpx.Response]:
    """So many at once. Whatever becomes of them, no server breaks."""
    answers = await asyncio.gather(*(one(number) for number in range(size)))
    assert all(answer.status_code < 500 for answer in answers), [a.text for a in answers if a.status_code >= 500]
    return list(answers)


def told(answers: Sequence[httpx.Response]) -> dict[str, int]:
    """How many were answered what: `approved`, the reason of a rejection, or the code of a refusal."""
    counts: dict[str, int] = {}
    for answer in answers:
        body = answer.json()
        word = body.get("reason") or body.get("code") or body.get("status") or str(answer.status_code)
        if word == "invalid_request":
            word = body["errors"][0]["code"]
        counts[word] = counts.get(word, 0) + 1
    return counts


class Browser:
    """Somebody's browser at our pages: cookies, forms, no scripts."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT)
        self.page = ""

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, address: str) -> httpx.Response:
        """Open an address, follow where it leads, keep the page."""
        answer = await self.http.get(address, follow_redirects=True)
        self.page = answer.text
        return answer

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of the page, without following."""
        return await self.http.post(path, data={"csrf": self.hidden("csrf")} | fields)

    def hidden(self, name: str) -> str:
        """The value of a hidden field of the page."""
        return self.page.partition(f'name="{name}" value="')[2].partition('"')[0]


async def result_code(browser: Browser, client: Client, person: Person, code: str) -> tuple[str, str]:
    """A sign-in in the hosted prompt: the authentication, and the code that came back with the browser."""
    begun = await client.authentication(person, return_url=BACK, state="s3cret-state")
    await browser.get(begun["prompt_url"])
    answered = await browser.post(f"/prompt/{begun['id']}/code", way=browser.hidden("way"), code=code)
    assert answered.status_code == 303, answered.text
    query = parse_qs(urlsplit(answered.headers["location"]).query)
    assert query["authentication"] == [begun["id"]]
    assert query["state"] == ["s3cret-state"]
    return str(begun["id"]), query["code"][0]


CONFIGURATIONS = [
    pytest.param(("sqlite", 1), id="sqlite", marks=pytest.mark.xdist_group("server-sqlite")),
    pytest.param(("postgresql", 1), id="postgresql", marks=pytest.mark.xdist_group("server-postgresql")),
    pytest.param(("postgresql", 4), id="postgresql-4", marks=pytest.mark.xdist_group("server-postgresql-4")),
]


@contextmanager
def installed(kind: str, workers: int, folder: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site that does not run yet."""
    if kind == "sqlite":
        yield Site(Installation(folder / "data"), workers)
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    url = postgres.create_database()
    try:
        yield Site(Installation(folder / "data", url), workers)
    finally:
        postgres.drop_database(url)


@pytest.fixture(scope="session", params=CONFIGURATIONS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running server that nobody breaks: one for all tests of a configuration."""
    kind, workers = request.param
    with installed(kind, workers, tmp_path_factory.mktemp("site"), request) as made, made.serving():
        yield made


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    """The application that calls it."""
    async with site.calling() as calling:
        yield calling


@pytest.fixture(params=CONFIGURATIONS)
def own_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own, to start and to kill."""
    kind, workers = request.param
    with installed(kind, workers, tmp_path, request) as made:
        yield made


def connected_workers(server: Server) -> set[int]:
    """The processes of a server that hold a connection of a client now."""
    port = urlsplit(server.url).port
    established = {
        fields[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if int((fields := line.split())[1].rpartition(":")[2], 16) == port and fields[3] == "01"
    }
    return {pid for pid in server.workers() or [server.process.pid] if established & _sockets_of(pid)}


def _sockets_of(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
    return found
