"""Load at a given rate, whether the server keeps up or not (open loop): what people feel, not what machines reach.

Requests are due at random moments (a Poisson process). Time counts from when a request was due, so waiting for a free
connection is part of it, and so is any lateness of the generator itself, which it tells.

Usage: python -m benchmarks.paced PORT RATE CONNECTIONS FILE   (FILE as load.write_requests writes it; prints JSON)
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from benchmarks.load import read_requests, whole_answer

SPARE_SECONDS = 30.0
SEED = 2


@dataclass(frozen=True)
class Paced:
    """Times in ms from when a request was due. ``late_p99_ms``: how late the generator itself sent it."""

    requests: int
    refused: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    late_p99_ms: float
    own_cpu: float


class _Connection(asyncio.Protocol):
    """One connection, one request at a time. The answers have a content-length."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._due = 0.0
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # one that writes

    def send(self, due: float, request: bytes) -> None:
        self._due = due
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if (whole := whole_answer(self._received)) is None:
            return
        head, body = whole
        self._received = b""
        self._run.answered(self, self._due, head.startswith(b"HTTP/1.1 200") and b'"approved"' in body)

    def connection_lost(self, _: Exception | None) -> None:
        self._run.lost(self)


class _Run:
    def __init__(self, requests: list[bytes], rate: float) -> None:
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._free: deque[_Connection] = deque()
        self._requests = requests
        self._rate = rate
        self._took: list[float] = []
        self._late: list[float] = []
        self._refused = 0
        self._broken = False
        self._over = asyncio.Event()

    async def go(self, port: int, connections: int) -> Paced:
        loop = asyncio.get_running_loop()
        opened = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port) for _ in range(connections)
        ]
        self._free.extend(protocol for _, protocol in opened)
        gc.disable()  # its pauses would be told as the server's
        began = time.process_time()
        await asyncio.wait_for(self._send_all(), len(self._requests) / self._rate + SPARE_SECONDS)
        if self._broken:
            raise ConnectionError("the server broke off a connection with a request on it")
        cpu = time.process_time() - began
        took, late = sorted(self._took), sorted(self._late)
        for transport, _ in opened:
            transport.abort()
        count = len(took)
        return Paced(
            requests=count,
            refused=self._refused,
            p50_ms=took[count // 2] * 1e3,
            p99_ms=took[count * 99 // 100] * 1e3,
            worst_ms=took[-1] * 1e3,
            late_p99_ms=late[len(late) * 99 // 100] * 1e3,
            own_cpu=cpu,
        )

    async def _send_all(self) -> None:
        dice = random.Random(SEED)
        due = time.perf_counter()
        for request in self._requests:
            due += dice.expovariate(self._rate)
            pause = due - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            self._late.append(time.perf_counter() - due)
            if self._free:
                # By turns, so that the server finds none of them idle for long.
                self._free.popleft().send(due, request)
            else:
                self._waiting.append((due, request))
        await self._over.wait()

    def answered(self, connection: _Connection, due: float, approved: bool) -> None:
        self._took.append(time.perf_counter() - due)
        self._refused += not approved
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._free.append(connection)
        if len(self._took) == len(self._requests):
            self._over.set()

    def lost(self, connection: _Connection) -> None:
        if connection in self._free:
            self._free.remove(connection)
        elif not self._over.is_set():
            self._broken = True
            self._over.set()


async def _main(port: int, rate: float, connections: int, file: Path) -> None:
    print(json.dumps(asdict(await _Run(read_requests(file), rate).go(port, connections))))


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
