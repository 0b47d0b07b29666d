"""`/v1/verify`: as many as it can, then half as many with an eye on the clock."""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Load, TooFew, saturate, write_requests
from benchmarks.paced import SPARE_SECONDS
from benchmarks.people import People
from benchmarks.processes import Failed, cpu_seconds, family, run
from benchmarks.report import Report
from benchmarks.server import Server, Site
from tests.support.postgres import PostgresServer

CONNECTIONS = 64
WARM_SECONDS = 2
WARM_CODES = 20_000
GOOD_FOR = 25.0
# What the first seconds told is no bound for the next ones; the codes must not run out.
ROOM = 1.6
TRIES = 3


@dataclass(frozen=True)
class Store:
    """Where a site keeps its rows; ``postgres`` None: in an SQLite file."""

    site: Site
    people: People
    postgres: PostgresServer | None = None

    def number(self, statement: str) -> int:
        """What a statement counts."""
        if self.postgres is not None:
            return int(self.postgres.sql(statement, database=self.site.url.rpartition("/")[2]))
        connection = sqlite3.connect(self.site.url.removeprefix("sqlite:///"))
        try:
            return int(connection.execute(statement).fetchone()[0])
        finally:
            connection.close()

    def approved(self) -> int:
        """Answers that the audit log says were approvals; the log is written with them or they are not."""
        return self.number("SELECT count(*) FROM events WHERE type = 'authentication:approved'")

    def processes(self) -> list[int]:
        """Those of the database server, if there is one."""
        return [] if self.postgres is None else processes_of(self.postgres)


def processes_of(postgres: PostgresServer) -> list[int]:
    """The postmaster and its backends."""
    return family(int((postgres.kept.folder / "pid").read_text("ascii")))


@dataclass(frozen=True)
class Spent:
    """Processor time of one request in µs: server, database, load generator."""

    server: float
    database: float
    generator: float

    @property
    def theirs(self) -> float:
        """What is not the load generator's."""
        return self.server + self.database

    def __str__(self) -> str:
        return f"server {self.server:.0f} µs, database {self.database:.0f} µs, load generator {self.generator:.0f} µs"


@contextmanager
def spending(server: Callable[[], list[int]], database: Callable[[], list[int]]) -> Iterator[list[float]]:
    """Seconds on a processor that these two use while the block runs; filled at its end."""
    used: list[float] = []
    before = cpu_seconds(server()), cpu_seconds(database())
    yield used
    used += (cpu_seconds(server()) - before[0], cpu_seconds(database()) - before[1])


def maximum(server: Server, store: Store, *, seconds: int) -> tuple[Load, Spent]:
    """Saturate the server with right codes. Raises ``Failed`` unless every answer was an approval."""
    warm = store.people.fresh_codes(min(WARM_CODES, store.people.count), within=GOOD_FOR)
    first = saturate(
        server.port, server.verifications(store.people, warm), seconds=WARM_SECONDS, connections=CONNECTIONS
    )
    rate = first.rate
    for _ in range(TRIES):
        try:
            return _measured(server, store, seconds, int(rate * seconds * ROOM) + 1_000)
        except TooFew as few:
            # Something else on the machine let go meanwhile.
            rate = few.rate
    raise Failed(f"the rate grew by more than {ROOM} each time")


def _measured(server: Server, store: Store, seconds: int, count: int) -> tuple[Load, Spent]:
    codes = store.people.fresh_codes(count, within=seconds + 5.0)
    requests = server.verifications(store.people, codes)
    before = store.approved()
    with spending(server.processes, store.processes) as used:
        load = saturate(server.port, requests, seconds=seconds, connections=CONNECTIONS)
    if store.approved() - before < load.requests:
        raise Failed(f"{load.requests} answers, but {store.approved() - before} approvals in the audit log")
    return load, spent_by(load, used)


def spent_by(load: Load, used: list[float]) -> Spent:
    """The seconds of ``spending``, for one request."""
    return Spent(*(part / load.requests * 1e6 for part in (*used, load.own_cpu)))


def at_half(server: Server, store: Store, rate: float, *, seconds: int, report: Report, name: str) -> None:
    """Times at half of the rate that was reached, in an open loop."""
    wanted = rate / 2
    codes = store.people.fresh_codes(int(wanted * seconds), within=seconds + 10.0)
    with tempfile.TemporaryDirectory(prefix="nightlatch-bench-") as folder:
        file = Path(folder, "requests")
        write_requests(file, server.verifications(store.people, codes))
        command = [sys.executable, "-m", "benchmarks.paced", str(server.port), str(wanted), str(CONNECTIONS), str(file)]
        said = json.loads(run(command, limit=seconds + 2 * SPARE_SECONDS))
    if said["refused"]:
        raise Failed(f"{said['refused']} of {said['requests']} paced requests were not approved")
    report.at_most(f"{name}: p99 at {wanted:.0f}/s, half of the maximum", said["p99_ms"], 25, unit=" ms")
    own = said["own_cpu"] / said["requests"] * 1e6
    report.tell(
        f"{name}: p50, worst, and the generator's own lateness (p99) there",
        f"{said['p50_ms']:.1f}, {said['worst_ms']:.1f}, {said['late_p99_ms']:.1f} ms; it took {own:.0f} µs a request",
    )
