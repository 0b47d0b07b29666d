"""People who sign in with their phones one after the other, from beginning to result (closed loop).

Usage: python -m benchmarks.approving JSON   (a ``Plan``; prints an ``Approved`` as JSON)
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import time

import msgspec
import uvloop

from benchmarks.signins import Crowd, Place, approve, figures
from benchmarks.wire import Connection

WARM_SECONDS = 2.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """So many at once, for so many seconds after the first few."""

    place: Place
    at_once: int
    seconds: float


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """How many were, in how many seconds, and how long each took (p50, p99, worst; ms). ``in_all`` counts those of the
    first few seconds too, and ``own_cpu`` are our seconds on a processor for all of them.
    """

    approvals: int
    in_all: int
    seconds: float
    took: tuple[float, float, float]
    own_cpu: float


async def run(plan: Plan) -> Approved:
    """Sign in until the time is over."""
    crowd, place = Crowd(plan.place), plan.place
    began = time.perf_counter() + WARM_SECONDS
    ends = began + plan.seconds
    took: list[float] = []
    numbers = itertools.cycle(range(place.first, place.first + place.people))
    in_all = 0

    async def person() -> None:
        nonlocal in_all
        bank, phone = Connection(place.bank), Connection(place.phones)
        while (first := time.perf_counter()) < ends:
            sign_in = await crowd.open(next(numbers), bank)
            waiting = asyncio.create_task(crowd.wait(sign_in, bank))
            await approve(await crowd.approval(sign_in, phone), phone)
            told = await sign_in.told
            await waiting
            in_all += 1
            if began <= told <= ends:
                took.append(told - first)

    gc.disable()
    used = time.process_time()
    await asyncio.gather(*(person() for _ in range(plan.at_once)))
    used = time.process_time() - used
    return Approved(approvals=len(took), in_all=in_all, seconds=plan.seconds, took=figures(took), own_cpu=used)


if __name__ == "__main__":
    print(msgspec.json.encode(uvloop.run(run(msgspec.json.decode(sys.argv[1], type=Plan)))).decode())
