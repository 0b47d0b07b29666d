"""Browser and phone on different workers: the answer wakes the waiter, and a dead worker takes no answer along."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.installation import Installation, kill
from tests.support.phones import PushPhone
from tests.support.server import TIMEOUT, Client, Site, connected_workers

WORKERS = 2
ROUNDS = 12
PROMPT = 0.1
"""Seconds within which a waiter on another worker hears of an answer."""
TRYING = 60.0
"""Seconds: on a busy machine one worker serves long before the other."""


@pytest.fixture(params=["valkey", "postgresql"])
def two_workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Two workers on PostgreSQL, beside Valkey or without."""
    environ = {"NIGHTLATCH_VALKEY_URL": request.getfixturevalue("valkey_url")} if request.param == "valkey" else {}
    database: str = request.getfixturevalue("postgres_url")
    site = Site(Installation(tmp_path / "data", database, environ), WORKERS)
    with site.serving():
        yield site


@dataclass
class Apart:
    """Two connections to two workers: the application's, and the phone's. ``worker``: who holds the application's."""

    bank: Client
    phone_http: httpx.AsyncClient
    worker: int


@asynccontextmanager
async def apart(site: Site) -> AsyncIterator[Apart]:
    """Connect until both are on different workers."""
    assert site.server is not None
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=600)
    async with AsyncExitStack() as stack:
        bank = await stack.enter_async_context(httpx.AsyncClient(base_url=site.url, timeout=TIMEOUT, limits=limits))
        await bank.get("/healthz")
        (worker,) = connected_workers(site.server)
        ends = time.monotonic() + TRYING
        while time.monotonic() < ends:
            phone = httpx.AsyncClient(base_url=site.url, timeout=TIMEOUT, limits=limits)
            await phone.get("/healthz")
            if len(connected_workers(site.server)) == WORKERS:
                stack.push_async_callback(phone.aclose)
                yield Apart(Client(site, bank), phone, worker)
                return
            await phone.aclose()
    raise AssertionError("every connection went to one worker")


async def paired(pair: Apart) -> tuple[str, PushPhone]:
    """A person and their phone, over both connections."""
    user = (await pair.bank.made("/v1/users", {"username": f"maya-{time.monotonic_ns()}"}))["id"]
    begun = await pair.bank.made(f"/v1/users/{user}/factors", {"kind": "push"})
    phone = PushPhone(begun["enrollment"]["uri"].partition("/authenticator#")[0])
    assert (await phone.pair(pair.phone_http, begun["enrollment"])).json() == {"status": "approved"}
    await pair.bank.made(f"/v1/users/{user}/factors/{begun['id']}/activation", {}, 200)
    return user, phone


async def asked(pair: Apart, user: str, phone: PushPhone) -> tuple[str, dict[str, Any], str]:
    """A sign-in that waits for the phone: its path, the challenge, the number."""
    body = {"user": user, "context": {"ip": "192.0.2.7"}}
    path = f"/v1/authentications/{(await pair.bank.made('/v1/authentications', body))['id']}"
    opened = await pair.bank.made(f"{path}/challenges", {"factor": phone.factor})
    (challenge,) = await phone.waiting(pair.phone_http)
    return path, challenge, opened["number"]


async def test_an_answer_wakes_the_waiter_on_the_other_worker(two_workers: Site) -> None:
    """Within a tenth of a second, as a rule; and a phone that waits hears of the sign-in as fast."""
    late: list[float] = []
    rung: list[float] = []
    async with apart(two_workers) as pair:
        user, phone = await paired(pair)
        for _ in range(ROUNDS):
            listening = asyncio.create_task(_timed(phone.waiting(pair.phone_http, wait=25)))
            await asyncio.sleep(0.3)
            body = {"user": user, "context": {"ip": "192.0.2.7"}}
            path = f"/v1/authentications/{(await pair.bank.made('/v1/authentications', body))['id']}"
            number = (await pair.bank.made(f"{path}/challenges", {"factor": phone.factor}))["number"]
            opened_at = time.monotonic()
            heard_at, (challenge,) = await listening
            rung.append(heard_at - opened_at)

            waiting = asyncio.create_task(_timed(pair.bank("GET", f"{path}?wait=25")))
            await asyncio.sleep(0.3)
            answered = await phone.answer(pair.phone_http, challenge, "approve", number)
            answered_at = time.monotonic()
            assert answered.json() == {"status": "approved"}
            told_at, told = await waiting
            assert (told.json()["status"], bool(told.json()["device_token"])) == ("approved", True)
            late.append(told_at - answered_at)
    for what, times in (("waiter", late), ("phone", rung)):
        print(
            f"{what}: median {statistics.median(times) * 1000:.1f} ms, most {max(times) * 1000:.1f} ms after the answer"
        )
        assert statistics.median(times) <= PROMPT
        assert max(times) < 1, "it was woken, and did not just look again"


async def _timed(call: Any) -> tuple[float, Any]:
    done = await call
    return time.monotonic(), done


@pytest.mark.requirement("H3")
async def test_a_worker_that_dies_with_its_waiter_takes_no_answer_along(two_workers: Site) -> None:
    """The next poll gets the result."""
    async with apart(two_workers) as pair:
        user, phone = await paired(pair)
        path, challenge, number = await asked(pair, user, phone)
        waiting = asyncio.create_task(pair.bank("GET", f"{path}?wait=25"))
        await asyncio.sleep(0.3)
        kill(pair.worker)
        with pytest.raises(httpx.TransportError):
            await waiting
        answered = await phone.answer(pair.phone_http, challenge, "approve", number)
        assert answered.json() == {"status": "approved"}
        async with two_workers.calling() as again:
            told = (await again("GET", f"{path}?wait=5")).json()
        assert (told["status"], bool(told["assertion"]), bool(told["device_token"])) == ("approved", True, True)
