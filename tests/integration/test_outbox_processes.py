"""Processes that deliver from one outbox: side by side, stopped, restarted, and killed with -9."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nightlatch.adapters.runner.runner import WIDTH
from nightlatch.app.audit_events import export_events
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deliver.messages import queue
from nightlatch.app.messages import NewUser
from nightlatch.app.users.create import create_user
from nightlatch.bootstrap import Opened, open_beside, prepare
from nightlatch.config import load_settings
from nightlatch.domain.records import Channel, MessageStatus
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.directory import EventFilter
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.databases import new_id

SENDER = Path(__file__).with_name("sender.py")
MESSAGES = 1_000
LEASE, SHORT = 30 * SECOND, 6 * SECOND
"""Of texts: who holds them on a busy machine must come to mark them; what the dead held is waited for."""
CALLER = Caller("system", scopes=frozenset({"admin"}))


@dataclass
class Counted:
    """The gateway's side: every text that reached it, by id and by sender. It takes a moment over each."""

    port: int = 0
    ids: Counter[str] = field(default_factory=Counter)
    senders: dict[str, set[str]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One text a connection."""
        line = (await reader.readline()).decode().split(" ", 3)
        if len(line) == 4:
            sender, id_, _, _ = line
            self.ids[id_] += 1
            self.senders.setdefault(sender, set()).add(id_)
            self.changed.set()
            await asyncio.sleep(0.02)
            writer.write(f"ref-{id_}-{self.ids[id_]}\n".encode())
        writer.close()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so here."""
        async with asyncio.timeout(120):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    @property
    def repeated(self) -> set[str]:
        """What came more than once."""
        return {id_ for id_, times in self.ids.items() if times > 1}


@dataclass
class Office:
    """An outbox with a thousand texts in it, the counter, and processes that deliver."""

    opened: Opened
    counter: Counted
    data: Path
    stack: AsyncExitStack
    ids: set[str] = field(default_factory=set)

    @property
    def ports(self) -> Ports:
        """Beside the processes."""
        return self.opened.ports

    async def fill(self, count: int = MESSAGES, ttl: int = 5 * MINUTE) -> None:
        """Queue so many texts of ten people."""
        for _ in range(10):
            user = await create_user(self.ports, CALLER, NewUser(username=new_id("person")))
            seen = await self.ports.store.load(UserKey(user=user.id))
            assert seen.user is not None
            now = self.ports.clock.now()
            messages = [
                queue(self.ports, now, Channel.SMS, user=seen.user, payload={"to": "+49151", "text": "123456"}, ttl=ttl)
                for _ in range(count // 10)
            ]
            change = Change(root=user.id, expected=seen.version, new=tuple(messages))
            assert await self.ports.store.commit(change) is Outcome.APPLIED
            self.ids |= {message.id for message in messages}

    async def sender(self, lease: int = LEASE) -> asyncio.subprocess.Process:
        """A process that delivers, ready; it ends with the test."""
        arguments = (self.opened.settings.database_url, str(self.data), str(self.counter.port), str(lease))
        process = await asyncio.create_subprocess_exec(
            sys.executable, SENDER, *arguments, stdout=asyncio.subprocess.PIPE
        )
        self.stack.push_async_callback(end, process, signal.SIGKILL)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return process

    async def until_done(self) -> None:
        """Wait until nothing waits any more; everything reached the gateway, and is marked as sent."""
        async with asyncio.timeout(120):
            while (await self.ports.outbox.waiting())[Channel.SMS]:  # noqa: ASYNC110 (it lies in the database)
                await asyncio.sleep(0.05)
        assert set(self.counter.ids) == self.ids
        stands = await self.ports.outbox.look(sorted(self.ids))
        assert {(each.status, each.sealed) for each in stands} == {(MessageStatus.SENT, None)}

    async def told_of_repeats(self) -> set[str]:
        """Messages whose event says that they may have been sent twice; each has one event."""
        await self.opened.sequencer.drain()
        which = EventFilter(type="message:sent")
        events = [event.data async for event in export_events(self.ports, CALLER, which)]
        assert sorted(data["message"] for data in events) == sorted(self.ids)
        return {data["message"] for data in events if data.get("repeated")}


async def end(process: asyncio.subprocess.Process, with_: signal.Signals) -> None:
    """Send a signal to a process that still runs, and wait for its end."""
    if process.returncode is None:
        os.kill(process.pid, with_)
    await process.wait()


@asynccontextmanager
async def open_office(url: str, data: Path) -> AsyncIterator[Office]:
    """Prepared as before a first start."""
    settings = load_settings({"database_url": url, "data_dir": str(data)}, alone=True)
    await prepare(settings)
    counter = Counted()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_beside(settings))
        server = await asyncio.start_server(counter.serve, "127.0.0.1", 0, backlog=512)
        await stack.enter_async_context(server)
        counter.port = server.sockets[0].getsockname()[1]
        yield Office(opened, counter, data, stack)


@pytest.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """On each database in turn."""
    async with open_office(database_url, tmp_path / "data") as opened:
        yield opened


async def test_four_processes_share_what_waits(office: Office) -> None:
    """Each text goes out once. Who looks a second later finds the work done, so not all need have a part in it."""
    for _ in range(4):
        await office.sender()
    await office.fill()
    await office.until_done()
    assert sum(office.counter.ids.values()) == MESSAGES
    assert len(office.counter.senders) > 1
    assert await office.told_of_repeats() == set()


async def test_a_process_that_is_stopped_finishes_what_it_began(office: Office) -> None:
    """The next one goes on; nothing is sent twice."""
    await office.fill()
    for part in (MESSAGES // 4, MESSAGES // 2):
        process = await office.sender()
        await office.counter.until(lambda part=part: len(office.counter.ids) >= part)  # type: ignore[misc]
        await end(process, signal.SIGTERM)
        assert process.returncode == 0
        assert len(office.counter.ids) < MESSAGES
    await office.sender()
    await office.until_done()
    assert sum(office.counter.ids.values()) == MESSAGES
    assert await office.told_of_repeats() == set()


@pytest.mark.requirement("G3")
async def test_kill_9_loses_nothing_and_repeats_what_was_under_way(office: Office) -> None:
    """Each of a thousand texts reaches the gateway. At most those under way come twice, and their events say so."""
    await office.fill()
    kills = 0
    for part in (MESSAGES // 4, MESSAGES // 2):
        process = await office.sender(SHORT)
        await office.counter.until(lambda part=part: len(office.counter.ids) >= part)  # type: ignore[misc]
        await end(process, signal.SIGKILL)
        kills += 1
        assert len(office.counter.ids) < MESSAGES
    await office.sender(SHORT)
    await office.until_done()
    repeats = sum(office.counter.ids.values()) - MESSAGES
    print(f"\n{office.opened.database.dialect}: {MESSAGES} texts, {kills} kills: {repeats} came twice")
    assert repeats <= kills * WIDTH
    assert office.counter.repeated <= await office.told_of_repeats()


@pytest.mark.requirement("S2")
async def test_what_expires_while_nobody_delivers_is_never_sent(office: Office) -> None:
    """The next process marks it, and sends what is still good."""
    await office.fill(100, ttl=SECOND)
    old, office.ids = office.ids, set()
    await asyncio.sleep(1.1)
    await office.fill(100)
    await office.sender()
    await office.until_done()
    stands = await office.ports.outbox.look(sorted(old))
    assert {(each.status, each.sealed, each.attempts) for each in stands} == {(MessageStatus.EXPIRED, None, 0)}
