"""Nightlatch as an operator runs it: its own command, its own settings, on a database of its own."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import request
from benchmarks.people import People
from benchmarks.processes import family, run, running
from tests.support.kept import free_port

COMMAND = (sys.executable, "-m", "nightlatch")
SCOPES = ("authenticate", "enroll", "users:read", "users:write")


@dataclass(frozen=True)
class Site:
    """A database with an application whose key the load carries. ``data`` holds the key file, ``more`` settings."""

    url: str
    data: Path
    key: str
    more: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What its commands are told."""
        return {**_environment(self.url, self.data), **self.more}


@dataclass(frozen=True)
class Server:
    """A running server. ``started_in``: seconds until it first answered that it is ready."""

    port: int
    pid: int
    workers: int
    started_in: float
    site: Site

    def processes(self) -> list[int]:
        """The server's processes, the parent first."""
        return family(self.pid)

    def worker(self) -> int:
        """One process that serves."""
        return max(self.processes())

    def verifications(self, people: People, codes: list[tuple[int, str]]) -> list[bytes]:
        """One ``/v1/verify`` for each user and code."""
        return [self.post("/v1/verify", verification(people, number, code)) for number, code in codes]

    def post(self, path: str, body: dict[str, object]) -> bytes:
        """A request as the load sends it."""
        raw = json.dumps(body, separators=(",", ":")).encode()
        return request(f"127.0.0.1:{self.port}", path, raw, key=f"Bearer {self.site.key}")

    def ask(self, path: str, body: dict[str, object]) -> tuple[int, dict[str, object]]:
        """One call, apart from any load."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {self.site.key}", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            said: dict[str, object] = json.loads(answer.read())
            return answer.status, said
        finally:
            connection.close()


def verification(people: People, number: int, code: str) -> dict[str, object]:
    """The body of ``/v1/verify``: an address of the user's own, and no device token, so that each answer makes a device."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {"user": people.username(number), "code": code, "context": {"ip": address}}


def site(url: str, data: Path) -> Site:
    """Set up an empty database with the command line, as an operator would."""
    made = run([*COMMAND, "app", "create", "bench", *_options(), "--json"], env=_environment(url, data))
    return Site(url, data, str(json.loads(made)["api_key"]))


@contextmanager
def serving(where: Site, *, workers: int) -> Iterator[Server]:
    """A server that is ready, until the block ends."""
    port = free_port()
    command = [*COMMAND, "serve", "--port", str(port), "--workers", str(workers)]
    began = time.monotonic()

    def ready() -> bool:
        return _ready(port)

    log = where.data / f"serve-{port}.log"
    with running(command, log=log, ready=ready, env=where.environment()) as pid:
        yield Server(port, pid, workers, time.monotonic() - began, where)


def _options() -> list[str]:
    return [part for scope in SCOPES for part in ("--scope", scope)]


def _environment(url: str, data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTLATCH_")}
    return {**kept, "NIGHTLATCH_DATABASE_URL": url, "NIGHTLATCH_DATA_DIR": str(data)}


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
