"""The outbox: what queueing adds to a request, and how fast one worker delivers to a sink of this machine.

The sink speaks a line for a text over one connection, as an SMSC would: it answers each, and tells a moment later that
it arrived. python -m benchmarks.outbox DATABASE_URL DATA_DIR PORT is the worker.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.report import Report
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deliver.messages import queue
from nightlatch.app.deliver.receipts import receive_receipts
from nightlatch.app.events import make_event
from nightlatch.app.messages import NewUser
from nightlatch.app.users.create import create_user
from nightlatch.bootstrap import Opened, open_beside, open_everything, prepare
from nightlatch.bootstrap.delivery import Outlets
from nightlatch.config import Settings, load_settings
from nightlatch.domain.records import Channel, OutboxMessage, User
from nightlatch.domain.time import HOUR
from nightlatch.ports.delivery import Accepted, NotSent, Text
from nightlatch.ports.outbox import Receipt
from nightlatch.ports.store import Change, Outcome, UserKey

CALLER = Caller("system", scopes=frozenset({"admin"}))
PEOPLE = 50
TARGET = 500
PAYLOAD = {"to": "+4915112345678", "text": "602931 is your Nightlatch code. Never share it."}


class Sink:
    """Takes texts and tells of them. ``arrived`` holds their ids."""

    def __init__(self) -> None:
        self.arrived: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One worker's connection."""
        while line := await reader.readline():
            id_ = line.split(b" ", 1)[0].decode()
            self.arrived.append(id_)
            writer.write(f"ok {id_}\n".encode())
            asyncio.get_running_loop().call_later(0.005, writer.write, f"arrived {id_}\n".encode())
        writer.close()


class SinkGateway:
    """See ``ports.delivery.SmsGateway``: one connection, many texts under way on it."""

    name = "sink"

    def __init__(self, ports: Ports, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ports = ports
        self._writer = writer
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._receipts: set[asyncio.Task[object]] = set()
        self._reading = asyncio.create_task(self._read(reader))

    async def send(self, text: Text) -> Accepted:
        """Write a line and wait for its answer."""
        answer = self._answers[text.id] = asyncio.get_running_loop().create_future()
        self._writer.write(f"{text.id} {text.to} {text.text}\n".encode())
        try:
            await asyncio.wait_for(answer, 10)
        except TimeoutError as error:
            raise NotSent("timeout", uncertain=True) from error
        return Accepted(reference=text.id)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := (await reader.readline()).decode():
            kind, id_ = line.split()
            if kind == "ok":
                self._answers.pop(id_).set_result(None)
            else:
                receipt = Receipt(gateway=self.name, reference=id_, delivered=True)
                task = asyncio.create_task(receive_receipts(self._ports, [receipt]))
                self._receipts.add(task)
                task.add_done_callback(self._receipts.discard)

    async def healthy(self) -> bool:
        """It is."""
        return True

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._reading
        while self._receipts:
            await asyncio.wait(self._receipts)


async def work(url: str, data: str, port: str) -> None:
    """Deliver until nothing is asked of us any more."""

    async def outlets(_settings: Settings, ports: Ports, stack: AsyncExitStack) -> Outlets:
        gateway = SinkGateway(ports, *await asyncio.open_connection("127.0.0.1", int(port)))
        stack.push_async_callback(gateway.close)
        return Outlets(texts=(gateway,))

    settings = load_settings({"database_url": url, "data_dir": data}, alone=True)
    async with open_everything(settings, make=False, outlets=outlets):
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def measure(report: Report, name: str, url: str, data: Path, *, messages: int) -> None:
    """Take both figures on this database, which is empty."""
    data.mkdir(mode=0o700, parents=True)
    asyncio.run(_measure(report, name, url, data, messages))


async def _measure(report: Report, name: str, url: str, data: Path, messages: int) -> None:
    settings = load_settings({"database_url": url, "data_dir": str(data)}, alone=True)
    await prepare(settings)
    async with open_beside(settings) as opened:
        people = [await _person(opened.ports, number) for number in range(PEOPLE)]
        added = await _queueing(opened.ports, people)
        report.at_most(f"{name}: queueing a message adds to a commit (median)", added, 1, unit=" ms", places=2)
        await _hold(opened)
        await _fill(opened.ports, people, messages)
        rate, delivered = await _delivering(opened, url, data, messages)
        report.at_least(f"{name}: delivered to a local sink, one worker", rate, TARGET, unit="/s", places=0)
        report.tell(f"{name}: the same with every receipt and event stored", f"{delivered:.0f}/s")


async def _person(ports: Ports, number: int) -> User:
    made = await create_user(ports, CALLER, NewUser(username=f"bench-{number}"))
    user = (await ports.store.load(UserKey(user=made.id))).user
    assert user is not None
    return user


async def _queueing(ports: Ports, people: list[User]) -> float:
    """The same change, with an event, without and with a message, by turns; the difference in ms."""
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(8):
        for user in people:
            for queued in (False, True):
                seen = await ports.store.load(UserKey(user=user.id))
                began = time.perf_counter()
                now = ports.clock.now()
                event = make_event(ports, CALLER, now, "challenge:opened", user=user)
                new = (_message(ports, user),) if queued else ()
                change = Change(root=user.id, expected=seen.version, new=new, events=(event,))
                assert await ports.store.commit(change) is Outcome.APPLIED
                times[queued].append((time.perf_counter() - began) * 1000)
    return statistics.median(times[True]) - statistics.median(times[False])


def _message(ports: Ports, user: User) -> OutboxMessage:
    route = {"country": "DE", "prefix": "+49151", "application": "app_bench"}
    return queue(ports, ports.clock.now(), Channel.SMS, user=user, payload=PAYLOAD, route=route, ttl=HOUR)


async def _hold(opened: Opened) -> None:
    """Hold what the first figure left waiting, for longer than the second one takes."""
    while await opened.ports.outbox.claim(Channel.SMS, limit=500, lease=HOUR):
        pass


async def _fill(ports: Ports, people: list[User], messages: int) -> None:
    async def fill(user: User) -> None:
        seen = await ports.store.load(UserKey(user=user.id))
        new = tuple(_message(ports, user) for _ in range(messages // len(people)))
        assert await ports.store.commit(Change(root=user.id, expected=seen.version, new=new)) is Outcome.APPLIED

    await asyncio.gather(*map(fill, people))


async def _delivering(opened: Opened, url: str, data: Path, messages: int) -> tuple[float, float]:
    """Messages a second that reached the sink, and that were stored as delivered."""
    sink = Sink()
    async with await asyncio.start_server(sink.serve, "127.0.0.1", 0) as server:
        arguments = (url, str(data), str(server.sockets[0].getsockname()[1]))
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.outbox", *arguments, stdin=asyncio.subprocess.PIPE
        )
        await _until(lambda: _so(bool(sink.arrived)))
        began = time.perf_counter()
        await _until(lambda: _so(len(sink.arrived) >= messages))
        reached = time.perf_counter() - began
        ids = sorted(set(sink.arrived))
        assert len(ids) == messages
        await _until(lambda: _delivered(opened.ports, ids))
        stored = time.perf_counter() - began
        await worker.communicate(b"")
        return messages / reached, messages / stored


async def _delivered(ports: Ports, ids: list[str]) -> bool:
    """Whether the last ones are; looking at all of them would be a load of its own."""
    return all(message.status.value == "delivered" for message in await ports.outbox.look(ids[-100:] + ids[::50]))


async def _so(true: bool) -> bool:
    return true


async def _until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(300):
        while not await true():  # noqa: ASYNC110 (another process does it)
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
