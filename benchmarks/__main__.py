"""Usage: python -m benchmarks [--quick] [--only PART]… [--record]   Exits 1 when a figure misses its target."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import enrolling, enumeration, machine, outbox, plain, privacyidea, pure, pushing, sms, verifying
from benchmarks.fill import fill
from benchmarks.people import People
from benchmarks.processes import memory_mb
from benchmarks.report import Report, record, section
from benchmarks.server import serving, site
from benchmarks.verifying import Store
from nightlatch.domain.factors.base import FactorKind
from tests.support import postgres as embedded
from tests.support import valkey
from tests.support.postgres import PostgresServer

BUILD = Path("build", "bench")
PAGE = Path("docs", "explanation", "speed.md")
# Room for a million users; both systems and pgbench get the same.
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB"}


@dataclass(frozen=True)
class Size:
    """How long and how much."""

    seconds: int
    users: int
    few: int
    many: int
    rounds: int
    neighbors: int
    answers: int
    phones: int


FULL = Size(
    seconds=10, users=150_000, few=10_000, many=1_000_000, rounds=5, neighbors=2_000, answers=1_000, phones=20_000
)
QUICK = Size(seconds=5, users=80_000, few=10_000, many=100_000, rounds=2, neighbors=600, answers=300, phones=10_000)


@dataclass(frozen=True)
class Bench:
    """One run: what is shared by its parts. ``maxima``: the rates that later parts compare with."""

    report: Report
    size: Size
    postgres: PostgresServer
    folder: Path
    programs: Path
    maxima: dict[str, float]

    @contextmanager
    def store(
        self, name: str, people: People, *, sqlite: bool = False, kind: FactorKind | None = FactorKind.TOTP
    ) -> Iterator[Store]:
        """A database with these people in it, gone at the end."""
        data = self.folder / name
        data.mkdir(mode=0o700)
        url = f"sqlite:///{data}/nightlatch.db" if sqlite else self.postgres.create_database()
        made = Store(site(url, data), people, None if sqlite else self.postgres)
        fill(made.site, people, kind)
        self.settle(made)
        try:
            yield made
        finally:
            if not sqlite:
                self.postgres.drop_database(url)

    def settle(self, store: Store) -> None:
        """What a database that lives longer has behind it: statistics, and pages that are written."""
        if store.postgres is not None:
            store.postgres.sql("VACUUM ANALYZE", database=store.site.url.rpartition("/")[2])
            store.postgres.sql("CHECKPOINT")


def main() -> int:
    """Take the figures, print them, and say which missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about three minutes instead of fifteen")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="only this part; repeat for several")
    parser.add_argument("--record", action="store_true", help=f"write the figures into {PAGE}")
    given = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    programs = privacyidea.environment(BUILD)
    server = embedded.start(durable=True, settings=SETTINGS)
    try:
        head = machine.description(server, programs)
        print("\n".join(head))
        with tempfile.TemporaryDirectory(prefix="nightlatch-bench-") as folder:
            bench = Bench(Report(), QUICK if given.quick else FULL, server, Path(folder), programs, {})
            for name in given.only or PARTS:
                with section(name):
                    PARTS[name](bench)
    finally:
        server.stop()
    head.append(f"{'quick' if given.quick else 'full'} run; load of the machine at its end {os.getloadavg()[0]:.1f}")
    print("\n" + "\n".join(head) + "\n\n" + bench.report.table())
    if given.record:
        record(PAGE, head, bench.report.table())
    if bench.report.missed:
        print("\nmissed: " + "; ".join(bench.report.missed))
    return 1 if bench.report.missed else 0


def _pure(bench: Bench) -> None:
    pure.measure(bench.report)


def _verify(bench: Bench) -> None:
    """Nightlatch on PostgreSQL, and pgbench on the same database when its server is gone."""
    people = People(bench.size.users)
    with bench.store("postgresql", people) as store:
        for workers in (1, 2):
            _reach(bench, store, workers, f"verify, PostgreSQL, {workers} worker{'s' * (workers > 1)}")
        bench.settle(store)
        rates = plain.rates(bench.postgres, store.site, people, seconds=bench.size.seconds)
        for name, rate in rates.items():
            bench.report.tell(f"pgbench, the same reads and writes, {name}", f"{rate:.0f}/s")
        bench.report.at_least("verify against pgbench's better way", bench.maxima["verify"] / max(rates.values()), 0.3)


def _sqlite(bench: Bench) -> None:
    with bench.store("sqlite", People(bench.size.users), sqlite=True) as store:
        _reach(bench, store, 1, "verify, SQLite, 1 worker")


def _reach(bench: Bench, store: Store, workers: int, name: str) -> None:
    """The maximum, then times at half of it; the best of PostgreSQL's is what others are compared with."""
    with serving(store.site, workers=workers) as server:
        load, spent = verifying.maximum(server, store, seconds=bench.size.seconds)
        bench.report.tell(f"{name}: rate at saturation", f"{load.rate:.0f}/s (p50 {load.p50_ms:.1f} ms)")
        bench.report.tell(f"{name}: processor time of a request", str(spent))
        if store.postgres is not None:
            bench.maxima["verify"] = max(load.rate, bench.maxima.get("verify", 0))
            bench.maxima["processor"] = spent.theirs
        verifying.at_half(server, store, load.rate, seconds=bench.size.seconds, report=bench.report, name=name)


def _neighbor(bench: Bench) -> None:
    """privacyIDEA, and our enrolment beside its."""
    people = People(20_000, "enroll")
    with bench.store("enrol", people, kind=None) as store, serving(store.site, workers=2) as server:
        enrolling.enroll(server, store, seconds=2)
    with bench.store("enroll", people, kind=None) as store, serving(store.site, workers=2) as server:
        ours = enrolling.enroll(server, store, seconds=bench.size.seconds)
    folder = bench.folder / "neighbor"
    folder.mkdir()
    with privacyidea.neighbor(bench.programs, folder, bench.postgres, bench.size.neighbors) as neighbor:
        enrolled = neighbor.enroll(range(bench.size.neighbors), seconds=2 * bench.size.seconds)
        with verifying.spending(neighbor.processes, lambda: verifying.processes_of(bench.postgres)) as used:
            verified = neighbor.verify(seconds=2 * bench.size.seconds)
        spent = verifying.spent_by(verified, used)
    bench.report.tell("enrolment with QR, Nightlatch, 2 workers", f"{ours.rate:.0f}/s")
    bench.report.tell("enrolment with QR, privacyIDEA /token/init", f"{enrolled.rate:.1f}/s")
    bench.report.at_least("enrolment against privacyIDEA", ours.rate / enrolled.rate, 30, places=0)
    bench.report.tell("verification, privacyIDEA /validate/check", f"{verified.rate:.1f}/s")
    bench.report.tell("verification, privacyIDEA: processor time of a request", str(spent))
    if "verify" in bench.maxima:
        bench.report.at_least("verify against privacyIDEA", bench.maxima["verify"] / verified.rate, 100, places=0)
        ratio = spent.theirs / bench.maxima["processor"]
        bench.report.tell("the same by processor time, which other load on the machine disturbs less", f"{ratio:.0f} ×")


def _scale(bench: Bench) -> None:
    """Few users and many, by turns; the median of the rounds, since what the machine does meanwhile hits some of them."""
    size = bench.size
    few, many = People(size.few), People(size.many)
    rates: dict[str, list[float]] = {"few": [], "many": []}
    costs: dict[str, list[float]] = {"few": [], "many": []}
    with bench.store("few", few) as small, bench.store("many", many) as large:
        for _ in range(size.rounds):
            for name, store in (("few", small), ("many", large)):
                with serving(store.site, workers=2) as server:
                    load, spent = verifying.maximum(server, store, seconds=3)
                rates[name].append(load.rate)
                costs[name].append(spent.theirs)
    ratio = median(there / here for there, here in zip(rates["many"], rates["few"], strict=True))
    shown = " / ".join(f"{median(rates[name]):.0f}" for name in rates)
    bench.report.tell(f"verify with {size.few:,} / {size.many:,} users", f"{shown} a second")
    bench.report.at_least(f"rate with {size.many:,} users of that with {size.few:,}", ratio, 0.9)
    bench.report.tell("the same by processor time", f"{median(costs['few']) / median(costs['many']):.2f} ×")


def _idle(bench: Bench) -> None:
    with bench.store("idle", People(100)) as store:
        with serving(store.site, workers=1) as server:
            bench.report.tell("start, command to ready, 1 worker", f"{server.started_in:.2f} s")
        with serving(store.site, workers=2) as server:
            resident, proportional = memory_mb(server.worker())
    bench.report.at_most("idle memory of a worker (resident)", resident, 150, unit=" MB", places=0)
    bench.report.tell("idle memory of a worker (proportional)", f"{proportional:.0f} MB")


def _enumeration(bench: Bench) -> None:
    people = People(1_000)
    with bench.store("enumeration", people, kind=None) as store:
        with serving(store.site, workers=1) as server:
            enumeration.times(server, people, bench.report)
        enumeration.work(store.site, people, bench.report)


def _sms(bench: Bench) -> None:
    data = bench.folder / "sms"
    for name, url in (("SQLite", f"sqlite:///{data}/sms.db"), ("PostgreSQL", bench.postgres.create_database())):
        sms.measure(bench.report, name, url, data / name)


def _outbox(bench: Bench) -> None:
    messages = 1_000 * bench.size.seconds
    folder = bench.folder / "outbox"
    outbox.measure(
        bench.report, "PostgreSQL", bench.postgres.create_database(), folder / "postgresql", messages=messages
    )
    url = f"sqlite:///{folder}/sqlite/nightlatch.db"
    outbox.measure(bench.report, "SQLite", url, folder / "sqlite", messages=messages)


def _push(bench: Bench) -> None:
    """A thousand that wait, on one worker and on two that hear of each other; then as many as it can."""
    people = People(bench.size.phones, "push")
    asked = pushing.WAITING + bench.size.answers
    for name, sqlite in (("PostgreSQL", False), ("SQLite", True)):
        title = f"push, {name}, 1 worker"
        with bench.store(f"push-{name}", people, sqlite=sqlite, kind=FactorKind.PUSH) as store:
            one = pushing.at_one_address(store)
            with serving(one.site, workers=1) as server:
                pushing.wait(bench.report, pushing.Group(one, range(asked)), title, server, server)
            with serving(one.site, workers=1) as server:
                rest = pushing.Group(one, range(3 * asked, people.count))
                pushing.approvals(bench.report, rest, title, server, seconds=bench.size.seconds)
            if not sqlite:
                _apart(bench, store, asked)


def _apart(bench: Bench, store: Store, asked: int) -> None:
    """Whoever waits and the phone are at two servers, of one worker each, that share the database."""
    beside = valkey.start()
    ways = {"LISTEN/NOTIFY": {}, "Valkey": {"NIGHTLATCH_VALKEY_URL": beside.url}}
    try:
        for turn, (name, more) in enumerate(ways.items(), start=1):
            group = pushing.Group(pushing.at_one_address(store, **more), range(turn * asked, (turn + 1) * asked))
            site = group.store.site
            with serving(site, workers=1) as bank, serving(site, workers=1) as phones:
                pushing.wait(bench.report, group, f"push, PostgreSQL, 2 workers, {name}", bank, phones)
    finally:
        beside.stop()


PARTS: dict[str, Callable[[Bench], None]] = {
    "pure": _pure,
    "verify": _verify,
    "sqlite": _sqlite,
    "privacyidea": _neighbor,
    "scale": _scale,
    "idle": _idle,
    "enumeration": _enumeration,
    "sms": _sms,
    "outbox": _outbox,
    "push": _push,
}

if __name__ == "__main__":
    sys.exit(main())
