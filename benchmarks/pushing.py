"""Approvals on phones: a thousand sign-ins that wait, how soon they hear of an answer, and how many there are a second."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from benchmarks import approving, waiting
from benchmarks.processes import Failed, run
from benchmarks.report import Report
from benchmarks.server import Server
from benchmarks.signins import Place
from benchmarks.verifying import Spent, Store, spending

T = TypeVar("T")

# Two servers of one site have one public address; nobody has to be there.
PUBLIC_URL = "http://localhost:8080"
WAITING = 1_000
RATE = 100.0
AT_ONCE = 48
SPARE_SECONDS = 120.0


@dataclass(frozen=True)
class Group:
    """Some of the people of a store, whom no other measurement has asked."""

    store: Store
    numbers: range

    def place(self, bank: Server, phones: Server) -> Place:
        """Where the two ends call."""
        return Place(
            bank=bank.port,
            phones=phones.port,
            aud=PUBLIC_URL,
            key=self.store.site.key,
            prefix=self.store.people.prefix,
            first=self.numbers.start,
            people=len(self.numbers),
        )


def at_one_address(store: Store, **more: str) -> Store:
    """The store of a site whose servers share their public address, and these settings."""
    return replace(store, site=replace(store.site, more={"NIGHTLATCH_PUBLIC_URL": PUBLIC_URL, **more}))


def wait(report: Report, group: Group, name: str, bank: Server, phones: Server) -> None:
    """A thousand wait at ``bank``, and the rest of the group answer at ``phones``. The memory is that of ``bank``."""
    answers = len(group.numbers) - WAITING
    place = group.place(bank, phones)
    plan = waiting.Plan(
        place=place,
        waiting=WAITING,
        answers=answers,
        rate=RATE,
        worker=bank.worker(),
        servers=sorted({bank.pid, phones.pid}),
        database=group.store.processes()[:1],
    )
    said = _said("benchmarks.waiting", plan, waiting.Waited, limit=answers / RATE + SPARE_SECONDS)
    memory = max(said.memory)
    report.at_most(f"{name}: memory of a worker with {WAITING:,} waiting", memory, 250, unit=" MB", places=0)
    p50, p99, worst = said.told
    report.at_most(f"{name}: from a phone's answer to the waiter's, p99 at {RATE:.0f}/s", p99, 100, unit=" ms")
    report.tell(
        f"{name}: p50, worst, and how late phones were (p99)", f"{p50:.1f}, {worst:.1f}, {said.late_p99:.1f} ms"
    )
    spent = Spent(*(part / answers * 1e6 for part in said.spent))
    report.tell(f"{name}: processor time of an answer, with all who wait", str(spent))
    p50, p99, worst = said.after
    report.tell(
        f"{name}: after the phone heard that it counts, p50, p99, worst", f"{p50:.1f}, {p99:.1f}, {worst:.1f} ms"
    )


def approvals(report: Report, group: Group, name: str, server: Server, *, seconds: int) -> None:
    """Sign-ins from beginning to result. Raises ``Failed`` unless the audit log knows of each."""
    store = group.store
    plan = approving.Plan(place=group.place(server, server), at_once=AT_ONCE, seconds=seconds)
    before = store.approved()
    with spending(server.processes, store.processes) as used:
        said = _said("benchmarks.approving", plan, approving.Approved, limit=seconds + SPARE_SECONDS)
    if store.approved() - before < said.in_all:
        raise Failed(f"{said.in_all} sign-ins, but {store.approved() - before} approvals in the audit log")
    report.at_least(f"{name}: approvals end to end", said.approvals / said.seconds, 200, unit="/s", places=0)
    p50, p99, worst = said.took
    report.tell(f"{name}: a whole sign-in, {AT_ONCE} at once, p50, p99, worst", f"{p50:.0f}, {p99:.0f}, {worst:.0f} ms")
    spent = Spent(*(part / said.in_all * 1e6 for part in (*used, said.own_cpu)))
    report.tell(f"{name}: processor time of a whole sign-in", str(spent))


def _said(program: str, plan: Any, answer: type[T], *, limit: float) -> T:
    """What a program that carries out a plan came to."""
    told = run([sys.executable, "-m", program, msgspec.json.encode(plan).decode()], limit=limit)
    return msgspec.json.decode(told, type=answer)
