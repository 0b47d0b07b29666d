"""Texts through SMPP: how fast one worker hands them to an SMSC of this machine, every receipt stored.

python -m benchmarks.sms [MESSAGES]   takes the figure by itself, on SQLite and PostgreSQL
python -m benchmarks.sms --worker DATABASE_URL DATA_DIR   is the worker; its gateway comes from the environment
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.processes import cpu_seconds
from benchmarks.report import Report
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deliver.messages import queue
from nightlatch.app.messages import NewUser
from nightlatch.app.users.create import create_user
from nightlatch.bootstrap import open_beside, open_everything, prepare
from nightlatch.config import load_settings
from nightlatch.domain.records import Channel, MessageStatus
from nightlatch.domain.time import HOUR
from nightlatch.ports.store import Change, Outcome, UserKey

CALLER = Caller("system", scopes=frozenset({"admin"}))
MESSAGES, EACH = 10_000, 200
TARGET = 500
WITHIN = 300
PAYLOAD = {"to": "+491713920001", "text": "602931 is your Nightlatch code. Never share it."}


def measure(report: Report, name: str, url: str, data: Path, *, messages: int = MESSAGES) -> None:
    """Take the figure on this database, which is empty."""
    asyncio.run(_measure(report, name, url, data, messages))


async def _measure(report: Report, name: str, url: str, data: Path, messages: int) -> None:
    settings = load_settings({"database_url": url, "data_dir": str(data)}, alone=True)
    await prepare(settings)
    async with open_beside(settings) as opened, _smsc() as (port, smsc):
        ids = [id_ for number in range(messages // EACH) for id_ in await _queued(opened.ports, number)]
        async with _worker(url, data, port) as worker:
            await _delivered(opened.ports, ids[:1])
            began, used = time.perf_counter(), cpu_seconds([worker])
            await _delivered(opened.ports, ids)
            took, used = time.perf_counter() - began, cpu_seconds([worker]) - used
        smsc.send_signal(signal.SIGTERM)
        said, _ = await smsc.communicate()
    taken, _, told = map(int, said.split())
    assert taken >= len(ids) <= told
    report.at_least(
        f"{name}: texts over SMPP, one worker, receipts stored", len(ids) / took, TARGET, unit="/s", places=0
    )
    report.tell(f"{name}: processor time of a text, from claim to stored receipt", f"{used / len(ids) * 1000:.2f} ms")
    report.tell(f"{name}: texts that the SMSC got twice", str(taken - len(ids)))


async def _queued(ports: Ports, number: int) -> list[str]:
    """The ids of messages to one person."""
    made = await create_user(ports, CALLER, NewUser(username=f"bench-{number}"))
    seen = await ports.store.load(UserKey(user=made.id))
    assert seen.user is not None
    now, route = ports.clock.now(), {"country": "DE", "prefix": "+49171"}
    new = tuple(
        queue(ports, now, Channel.SMS, user=seen.user, payload=PAYLOAD, route=route, ttl=HOUR) for _ in range(EACH)
    )
    assert await ports.store.commit(Change(root=made.id, expected=seen.version, new=new)) is Outcome.APPLIED
    return [message.id for message in new]


async def _delivered(ports: Ports, ids: list[str]) -> None:
    """Wait until all of them are; each is looked at until it is, and then no more."""
    left = list(ids)
    async with asyncio.timeout(WITHIN):
        while left:
            looked = await ports.outbox.look(left[-EACH:])
            done = {message.id for message in looked if message.status is MessageStatus.DELIVERED}
            left = [id_ for id_ in left if id_ not in done]
            if not done:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def _smsc() -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """An SMSC in a process of its own, and its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.smsc", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline()), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def _worker(url: str, data: Path, port: int) -> AsyncIterator[int]:
    """The id of a worker that delivers until the end."""
    gateway = {"kind": "smpp", "host": "127.0.0.1", "port": str(port), "system_id": "bench", "password": "bench"}
    variables = {f"NIGHTLATCH_SMS__SMSC__{name.upper()}": value for name, value in gateway.items()}
    arguments = ("-m", "benchmarks.sms", "--worker", url, str(data))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, env=os.environ | variables
    )
    try:
        yield process.pid
    finally:
        await process.communicate(b"")


async def _work(url: str, data: str) -> None:
    """Deliver until nothing is asked of us any more."""
    settings = load_settings({"database_url": url, "data_dir": data})
    async with open_everything(settings, make=False):
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """The figure by itself."""
    from tests.support import postgres

    report, messages = Report(), int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    server = postgres.start(durable=True)
    try:
        with tempfile.TemporaryDirectory(prefix="nightlatch-sms-") as folder:
            data = Path(folder)
            measure(report, "SQLite", f"sqlite:///{data}/sms.db", data / "sqlite", messages=messages)
            measure(report, "PostgreSQL", server.create_database(), data / "postgresql", messages=messages)
    finally:
        server.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        asyncio.run(_work(*sys.argv[2:]))
    else:
        main()
