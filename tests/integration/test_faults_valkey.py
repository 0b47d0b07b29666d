"""Valkey goes away or hangs: hints come late, windows cannot be asked, and nothing is allowed by it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import run
from tests.support import valkey as valkey_support
from tests.support.installation import WITHIN, Installation
from tests.support.kept import Kept, keep
from tests.support.load import Load, check, read_kept
from tests.support.server import Client, Person, Site, crowd, told
from tests.support.valkey import ValkeyServer

SEED = 11
pytestmark = pytest.mark.xdist_group("faults-valkey")


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey that may be broken."""
    server = valkey_support.start()
    yield server
    server.stop()


@pytest.fixture
def start_again(own_valkey: ValkeyServer) -> Iterator[Callable[[], None]]:
    """Starts another one at the same address, which knows nothing of what was."""
    started: list[Kept] = []
    folder = own_valkey.kept.folder
    command: list[str | Path] = [folder / "valkey-server", "--port", str(own_valkey.port), "--bind", "127.0.0.1"]
    command += ["--save", "", "--appendonly", "no", "--dir", folder]

    def start() -> None:
        (folder / "ended").unlink()
        started.append(keep(command, folder, owner=run.owner(), ready=own_valkey.answers))

    yield start
    for kept in started:
        kept.stop()


@pytest.fixture
def leaning(own_valkey: ValkeyServer, tmp_path: Path) -> Site:
    """A site that keeps what is short-lived there."""
    environ = {"NIGHTLATCH_VALKEY_URL": own_valkey.url}
    return Site(Installation(tmp_path / "data", None, environ), 1)


async def ended(server: ValkeyServer) -> None:
    """Kill it, and see it gone."""
    server.kept.signal(signal.SIGKILL)
    deadline = time.monotonic() + WITHIN
    while not (server.kept.folder / "ended").exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def nothing_is_allowed(client: Client, person: Person) -> None:
    """What must be refused is, and a code works once of fifty times."""
    assert (await client.verify(person, person.wrong())).json()["reason"] == "wrong_code"
    code = person.press()
    counts = told(await crowd(lambda _: client.verify(person, code)))
    assert counts.pop("approved") == 1
    assert set(counts) <= {"wrong_code", "throttled"}
    assert (await client.verify(person, code)).json()["status"] == "rejected"


@pytest.mark.requirement("G3", "T4", "H3")
async def test_a_valkey_that_ends_and_comes_back_empty(
    leaning: Site, own_valkey: ValkeyServer, start_again: Callable[[], None]
) -> None:
    """Codes are judged as before, since rows decide; what only it could say is refused, and leaves nothing behind."""
    with leaning.serving():
        async with leaning.calling() as client:
            person, other = await client.with_hotp(), await client.with_totp()
            approval = await client.approval(other, other.code(1))
            newcomer = await client.begun(await client.person())
            await ended(own_valkey)

            await nothing_is_allowed(client, person)
            path, body = f"/v1/users/{other.id}/backup-codes", {"approval": approval}
            refused = await client("POST", path, body)
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            activation = f"/v1/users/{newcomer.id}/factors/{newcomer.factor}/activation"
            assert (await client("POST", activation, {"code": newcomer.code()})).status_code == 503
            pending = await client("GET", f"/v1/users/{newcomer.id}/factors/{newcomer.factor}")
            assert pending.json()["status"] == "pending"

            await asyncio.to_thread(start_again)
            await nothing_is_allowed(client, await client.with_hotp())
            made = await client("POST", path, body)
            assert made.status_code == 201, made.text
            assert (await client("POST", activation, {"code": newcomer.code()})).status_code == 200


@pytest.mark.requirement("G3", "G1", "T4")
async def test_a_valkey_that_hangs_under_load(leaning: Site, own_valkey: ValkeyServer) -> None:
    """Whoever waits for a sign-in looks by themselves; nobody waits for long; answers and rows agree."""
    with leaning.serving():
        async with leaning.calling() as client:
            people, person = [await client.with_hotp() for _ in range(6)], await client.with_hotp()
            load = Load(client, people, SEED)
            running = asyncio.create_task(load.run(tasks=8))
            await load.heard(40)
            own_valkey.kept.signal(signal.SIGSTOP)
            try:
                begun = await client.authentication(person)
                waiting = asyncio.create_task(client("GET", f"/v1/authentications/{begun['id']}?wait=20"))
                await asyncio.sleep(0.2)
                started = time.monotonic()
                await load.sent(person, person.press(), load.answering(begun["id"]))
                assert (await waiting).json()["status"] == "approved"
                assert time.monotonic() - started < 18
            finally:
                own_valkey.kept.signal(signal.SIGCONT)
            load.stopping = True
            await running
            async with leaning.rows() as rows:
                check(await read_kept(rows), load.answers, people)
