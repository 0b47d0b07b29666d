"""Many sign-ins that wait at once for their phones, some of which answer at a given rate (open loop).

Usage: python -m benchmarks.waiting JSON   (a ``Plan``; prints a ``Waited`` as JSON)
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from collections import deque

import msgspec
import uvloop

from benchmarks.paced import SEED
from benchmarks.processes import cpu_seconds, family, memory_mb
from benchmarks.signins import Crowd, Place, SignIn, approve, figures
from benchmarks.wire import Connection

OPENERS = 24
SETTLE_SECONDS = 2.0
SPARE_SECONDS = 30.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """So many wait all the time; so many phones answer, ``rate`` a second. ``worker``: whose memory is looked at;
    ``servers`` and ``database``: the processes whose seconds are counted, with those below them.
    """

    place: Place
    waiting: int
    answers: int
    rate: float
    worker: int
    servers: list[int]
    database: list[int]


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. Times are p50, p99 and worst in ms: ``told`` from when a phone's answer was due until the waiter
    had the result, ``after`` from when the phone heard that its answer counts. ``memory``: the resident set of the
    worker with all who wait, before the answers and after them (MB). ``spent``: seconds on a processor while phones
    answered, of servers, database and generator.
    """

    told: tuple[float, float, float]
    after: tuple[float, float, float]
    late_p99: float
    memory: tuple[float, float]
    spent: tuple[float, float, float]


class Run:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._crowd = Crowd(plan.place)
        self._ready: deque[tuple[SignIn, bytes]] = deque()
        self._waiting: deque[tuple[SignIn, bytes]] = deque()
        self._phones: list[Connection] = []
        self._told: list[float] = []
        self._after: list[float] = []
        self._late: list[float] = []

    async def go(self) -> Waited:
        """Open all sign-ins, let them wait, answer."""
        await self._open_all()
        gc.disable()  # its pauses would be told as the server's
        waiters = [asyncio.create_task(self._wait()) for _ in range(self._plan.waiting)]
        await asyncio.sleep(SETTLE_SECONDS)
        before = memory_mb(self._plan.worker)[0]
        used = self._used()
        async with asyncio.timeout(self._plan.answers / self._plan.rate + SPARE_SECONDS):
            await self._answer_all()
        server, database, own = (now - then for now, then in zip(self._used(), used, strict=True))
        after = memory_mb(self._plan.worker)[0]
        for waiter in waiters:
            waiter.cancel()
        _, late, _ = figures(self._late)
        return Waited(
            told=figures(self._told),
            after=figures(self._after),
            late_p99=late,
            memory=(before, after),
            spent=(server, database, own),
        )

    def _used(self) -> tuple[float, float, float]:
        return _seconds(self._plan.servers), _seconds(self._plan.database), time.process_time()

    async def _open_all(self) -> None:
        """As many as will wait at once, and one more for each that is answered."""
        first = self._plan.place.first
        numbers = iter(range(first, first + self._plan.waiting + self._plan.answers))

        async def opener() -> None:
            bank, phone = Connection(self._plan.place.bank), Connection(self._plan.place.phones)
            for number in numbers:
                sign_in = await self._crowd.open(number, bank)
                self._ready.append((sign_in, await self._crowd.approval(sign_in, phone)))
            bank.close()
            self._phones.append(phone)

        await asyncio.gather(*(opener() for _ in range(OPENERS)))

    async def _wait(self) -> None:
        """One connection of the application: who has the result makes room for the next."""
        bank = Connection(self._plan.place.bank)
        while self._ready:
            both = self._ready.popleft()
            self._waiting.append(both)
            await self._crowd.wait(both[0], bank)

    async def _answer_all(self) -> None:
        dice = random.Random(SEED)
        due = time.perf_counter()
        async with asyncio.TaskGroup() as answering:
            for _ in range(self._plan.answers):
                due += dice.expovariate(self._plan.rate)
                pause = due - time.perf_counter()
                if pause > 0:
                    await asyncio.sleep(pause)
                self._late.append(time.perf_counter() - due)
                answering.create_task(self._answer(due, *self._waiting.popleft()))

    async def _answer(self, due: float, sign_in: SignIn, response: bytes) -> None:
        phone = self._phones.pop() if self._phones else Connection(self._plan.place.phones)
        heard = await approve(response, phone)
        self._phones.append(phone)
        told = await sign_in.told
        self._told.append(told - due)
        self._after.append(told - heard.at)


def _seconds(parents: list[int]) -> float:
    return cpu_seconds({pid for parent in parents for pid in family(parent)})


if __name__ == "__main__":
    print(msgspec.json.encode(uvloop.run(Run(msgspec.json.decode(sys.argv[1], type=Plan)).go())).decode())
