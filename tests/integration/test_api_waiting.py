"""Long-polls on a real server: woken by the answer, ended by the client, told at the server's end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest

from nightlatch.adapters.system import SystemClock
from nightlatch.app.context import Ports
from nightlatch.app.waiters import MOST_OF_ONE, Waiters
from nightlatch.app.waiting import look_until
from nightlatch.domain.time import SECOND
from nightlatch.web.app import build
from tests.support.api import CONTEXT, SETTINGS, Api, ApiPhone, Application, open_api, serving
from tests.support.ports import World


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Signals that reach this process after the server took note of them."""
    numbers: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, _: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, previous)


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    """Waiting takes time, so the clock is the machine's own."""
    async with open_api(world) as opened:
        opened.world.clock.at = SystemClock().now()
        yield opened


async def prepared(api: Api) -> tuple[Application, ApiPhone, str]:
    """An application, a phone with a fresh code, and the path of a sign-in that waits for it."""
    bank = await api.application()
    phone = await api.phone(bank, await api.person(bank))
    begun = await bank("POST", "/v1/authentications", {"user": "maya", "context": CONTEXT})
    return bank, phone, f"/v1/authentications/{begun.json()['id']}"


async def test_a_waiter_is_woken_by_the_answer(api: Api) -> None:
    bank, phone, path = await prepared(api)
    async with serving(api.app) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as http:
        over_http = Application(bank.id, bank.key, http)
        waiting = asyncio.create_task(over_http("GET", f"{path}?wait=25", timeout=30))
        await waits(waiting, ports=api.world.ports, count=1)
        began = time.monotonic()
        answered = await over_http("POST", f"{path}/verifications", {"code": phone.code()})
        assert answered.json()["status"] == "approved"
        told = await waiting
        assert time.monotonic() - began < 2
        assert (told.status_code, told.json()["status"]) == (200, "approved")


async def test_a_waiter_is_told_pending_when_its_time_is_over(api: Api) -> None:
    app = build(replace(api.world.ports, clock=SystemClock()), SETTINGS)
    bank, _, path = await prepared(api)
    async with serving(app) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as http:
        began = time.monotonic()
        told = await Application(bank.id, bank.key, http)("GET", f"{path}?wait=1", timeout=30)
        assert 0.9 < time.monotonic() - began < 5
        assert (told.status_code, told.json()["status"]) == (200, "pending")


async def test_a_waiter_whose_client_leaves_waits_no_more(api: Api) -> None:
    bank, _, path = await prepared(api)
    async with serving(api.app) as (url, server):
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            leaves = httpx.Timeout(30, read=0.5)
            with pytest.raises(httpx.ReadTimeout):
                await Application(bank.id, bank.key, http)("GET", f"{path}?wait=25", timeout=leaves)
        async with asyncio.timeout(20):
            while server.server_state.tasks:  # noqa: ASYNC110 (uvicorn tells nobody)
                await asyncio.sleep(0.05)


async def test_waiters_are_told_pending_when_the_server_stops(api: Api, heard: list[int]) -> None:
    """At once, instead of when its patience of ten seconds is over."""
    bank, _, path = await prepared(api)
    async with serving(api.app) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as http:
        waiting = asyncio.create_task(Application(bank.id, bank.key, http)("GET", f"{path}?wait=25", timeout=30))
        await waits(waiting, ports=api.world.ports, count=1)
        began = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)
        told = await waiting
        assert time.monotonic() - began < 3
        assert (told.status_code, told.json()["status"]) == (200, "pending")
    assert heard == [signal.SIGTERM]


async def waits(*tasks: asyncio.Task[httpx.Response], ports: Ports, count: int) -> list[httpx.Response]:
    """What those were told that did not wait, once so many do."""
    async with asyncio.timeout(20):
        await asyncio.sleep(0)
        while ports.waiters.count != count or sum(not task.done() for task in tasks) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # a request tells nobody that it waits
    return [task.result() for task in tasks if task.done()]


async def test_of_many_who_wait_for_one_sign_in_four_do(api: Api) -> None:
    """The others hear at once how it stands; another sign-in's waiters are not among them; then there is room again."""
    bank, phone, path = await prepared(api)
    begun = await bank("POST", "/v1/authentications", {"user": "maya", "context": CONTEXT})
    other = f"/v1/authentications/{begun.json()['id']}"
    async with serving(api.app) as (url, _), httpx.AsyncClient(base_url=url, timeout=40) as http:
        over_http = Application(bank.id, bank.key, http)
        tasks = [asyncio.create_task(over_http("GET", f"{path}?wait=30")) for _ in range(3 * MOST_OF_ONE)]
        told = await waits(*tasks, ports=api.world.ports, count=MOST_OF_ONE)
        assert {(answer.status_code, answer.json()["status"]) for answer in told} == {(200, "pending")}
        also = asyncio.create_task(over_http("GET", f"{other}?wait=30"))
        await waits(*tasks, also, ports=api.world.ports, count=MOST_OF_ONE + 1)
        await over_http("POST", f"{path}/verifications", {"code": phone.code()})
        await over_http("POST", f"{other}/cancellation")
        ended = [answer.json()["status"] for answer in await asyncio.gather(*tasks, also)]
        assert sorted(ended[:-1]) == ["approved"] * MOST_OF_ONE + ["pending"] * 2 * MOST_OF_ONE
        assert ended[-1] != "pending"
    assert api.world.ports.waiters.count == 0


async def test_a_thousand_wait_for_a_thousand_sign_ins(world: World) -> None:
    """In one process, and each is woken by its own."""
    ports, found = world.ports, set[int]()

    async def one(number: int) -> int:
        async def look() -> int | None:
            return number if number in found else None

        seen = await look_until(
            ports, f"authentication:{number}", look, lambda said: said is not None, wait=30 * SECOND
        )
        assert seen is not None
        return seen

    tasks = [asyncio.create_task(one(number)) for number in range(1000)]
    while ports.waiters.count < 1000:  # noqa: ASYNC110
        await asyncio.sleep(0)  # they tell nobody that they wait
    for number in range(1000):
        found.add(number)
        await ports.wakeups.notify(f"authentication:{number}")
    assert await asyncio.gather(*tasks) == list(range(1000))


async def test_a_process_that_is_full_says_so(api: Api) -> None:
    """And reads as ever for who does not wait."""
    full = replace(api.world.ports, waiters=Waiters(most=0))
    async with open_api(replace(api.world, ports=full)) as opened:
        bank, _, path = await prepared(opened)
        told = await bank("GET", f"{path}?wait=25")
        assert (told.status_code, told.json()["code"]) == (429, "throttled")
        assert int(told.headers["retry-after"]) > 0
        assert (await bank("GET", path)).json()["status"] == "pending"


@pytest.mark.requirement("T4")
async def test_fifty_posts_of_one_code_over_http_give_one_success(api: Api) -> None:
    bank, phone, _ = await prepared(api)
    async with serving(api.app) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as http:
        over_http = Application(bank.id, bank.key, http)
        call = {"user": "maya", "code": phone.code(), "context": CONTEXT}
        answers = await asyncio.gather(*(over_http("POST", "/v1/verify", call, timeout=30) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    said = [answer.json() for answer in answers]
    assert sum(answer["status"] == "approved" for answer in said) == 1
    assert {answer["reason"] for answer in said if answer["status"] == "rejected"} <= {"replayed", "throttled"}
