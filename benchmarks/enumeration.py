"""Whether time, statements or hashes tell a name that somebody has from one that nobody has (H6)."""

from __future__ import annotations

import asyncio
import http.client
import json
import statistics
import time
from collections import Counter
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import msgspec

from benchmarks.people import People
from benchmarks.report import Report
from benchmarks.server import Server, Site, verification
from nightlatch.app.context import Caller, Ports
from nightlatch.app.messages import OneShot
from nightlatch.app.verify import verify
from nightlatch.bootstrap import open_beside
from nightlatch.config import load_settings
from nightlatch.ports.keys import SlowHasher
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey

PAIRS = 300
# Codes that are wrong whatever the seed: six digits that are none of the right ones, and the form of a backup code.
WRONG = "000000"
BACKUP = "2ABC-DEFG-HJKM-NPQR"


def times(server: Server, people: People, report: Report) -> None:
    """Wrong codes for known people without factors and for nobody, by turns; medians of each."""
    nobody = People(PAIRS, "nobody")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    took: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(PAIRS):
        for kind, who in (("known", people), ("unknown", nobody)):
            body = json.dumps(verification(who, number, WRONG))
            headers = {"Authorization": f"Bearer {server.site.key}", "Content-Type": "application/json"}
            began = time.perf_counter()
            connection.request("POST", "/v1/verify", body, headers)
            answer = connection.getresponse()
            answer.read()
            took[kind].append(time.perf_counter() - began)
    connection.close()
    known, unknown = (statistics.median(took[kind]) * 1e3 for kind in ("known", "unknown"))
    report.tell("wrong code, user without factors / unknown user, medians", f"{known:.2f} / {unknown:.2f} ms")
    report.at_most(
        "difference of these medians, of the larger", abs(known - unknown) / max(known, unknown) * 100, 15, unit=" %"
    )


def work(site: Site, people: People, report: Report) -> None:
    """Statements and hashes for each, counted at the ports."""
    for code, name in ((WRONG, "digits"), (BACKUP, "a backup code's form")):
        known, unknown = asyncio.run(_counted(site, people, code))
        shown = ", ".join(f"{count} {what}" for what, count in sorted(known.items()))
        report.tell(f"work for {name}, known user", shown)
        report.at_most(f"work for {name}, unknown user: differences", float(known != unknown), 0, unit="", places=0)


async def _counted(site: Site, people: People, code: str) -> list[Counter[str]]:
    async with open_beside(load_settings(environ=site.environment())) as opened:
        (kept,) = await opened.ports.catalog.applications()
        caller = Caller(f"application:{kept.application.id}", kept.application, frozenset({"authenticate"}))
        counts = []
        for who in (people, People(1, "nobody")):
            count: Counter[str] = Counter()
            request = msgspec.convert(verification(who, people.count - 1 if who is people else 0, code), OneShot)
            await verify(_watched(opened.ports, count), caller, request)
            counts.append(count)
        return counts


def _watched(ports: Ports, count: Counter[str]) -> Ports:
    return replace(ports, store=_Store(ports.store, count), hasher=_Hasher(ports.hasher, count))


class _Store:
    def __init__(self, store: Store, count: Counter[str]) -> None:
        self._store = store
        self._count = count

    async def load(self, key: UserKey) -> Snapshot:
        self._count["loads"] += 1
        return await self._store.load(key)

    async def commit(self, change: Change) -> Outcome:
        self._count["commits"] += 1
        self._count["rows"] += len(change.puts) + len(change.new) + len(change.events) + len(change.deletes)
        return await self._store.commit(change)

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        return self._store.turn(root)


class _Hasher:
    def __init__(self, hasher: SlowHasher, count: Counter[str]) -> None:
        self._hasher = hasher
        self._count = count

    async def hash(self, text: str) -> str:
        self._count["hashes"] += 1
        return await self._hasher.hash(text)

    async def verify(self, hashed: str, text: str) -> bool:
        self._count["hashes"] += 1
        return await self._hasher.verify(hashed, text)

    async def dummy(self) -> None:
        self._count["hashes"] += 1
        await self._hasher.dummy()
