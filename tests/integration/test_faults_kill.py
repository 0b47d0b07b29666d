"""kill -9 under load: what was answered stands, nothing works twice, the audit log has no gap."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.installation import WITHIN, kill
from tests.support.load import REFUSED, Kept, Load, check, read_kept
from tests.support.server import CONFIGURATIONS, Client, Person, Site

SEED = 9
UNDER_LOAD = 60
"""Answers that must have come before the kill, so that there is something to lose."""


@asynccontextmanager
async def loaded(client: Client) -> AsyncIterator[tuple[Load, Load]]:
    """People with HOTP factors under mixed load, and people with TOTP and backup codes whose codes are sent once."""
    pressing = list(await asyncio.gather(*(client.with_hotp() for _ in range(6))))
    typing = list(await asyncio.gather(*(client.with_totp() for _ in range(4))))
    load, once = Load(client, pressing, SEED), Load(client, typing, SEED)
    running = asyncio.create_task(load.run(tasks=16))
    sending = asyncio.gather(*(_send_once(once, person, number) for number, person in enumerate(typing)))
    await load.heard(UNDER_LOAD)
    yield load, once
    load.stopping = True
    await asyncio.gather(running, sending)


async def _send_once(load: Load, person: Person, number: int) -> None:
    for code in (person.code(1), person.backup_codes[number]):
        await load.sent(person, code)


async def nothing_works_again(load: Load) -> None:
    """Send all that was accepted once more, the latest first, as far as the throttle lets anybody try."""
    for person in load.people:
        accepted = [answer.code for answer in load.answers if answer.person is person and answer.said == "approved"]
        for code in accepted[-2:][::-1]:
            await load.sent(person, code)
            assert load.answers[-1].said in (*REFUSED, "throttled"), load.answers[-1]


@pytest.mark.requirement("T4", "T8", "L3", "G1", "H3")
@pytest.mark.parametrize("own_site", [CONFIGURATIONS[0], CONFIGURATIONS[2]], indirect=True)
async def test_a_server_that_was_killed_forgets_nothing_it_answered(own_site: Site) -> None:
    """All its processes at once; on SQLite twice."""
    loads: list[Load] = []
    for _ in range(2 if own_site.sqlite else 1):
        with own_site.serving() as server:
            async with own_site.calling() as client:
                for load in loads:
                    load.client = client
                    await nothing_works_again(load)
                async with loaded(client) as (mixed, once):
                    await asyncio.to_thread(server.kill)
                loads += [mixed, once]
    with own_site.serving():
        async with own_site.calling() as client, own_site.rows() as rows:
            for load in loads:
                load.client = client
                await nothing_works_again(load)
            kept = await read_kept(rows)
            answers = [answer for load in loads for answer in load.answers]
            assert any(answer.said == "unknown" for answer in answers)
            check(kept, answers, [person for load in loads[::2] for person in load.people])
            await go_on(client, kept, loads[-2].people)


async def go_on(client: Client, kept: Kept, people: list[Person]) -> None:
    """Whoever is not kept waiting signs in with what they hold."""
    for person in people:
        state = kept.states[person.factor]
        if state.blocked_other_until < time.time_ns() // 1000:
            person.presses = state.counter
            assert (await client.verify(person, person.press())).json()["status"] == "approved"


@pytest.mark.requirement("T4", "G1", "H3")
@pytest.mark.parametrize("own_site", [CONFIGURATIONS[2]], indirect=True)
async def test_a_worker_of_four_that_is_killed_takes_only_what_it_held(own_site: Site) -> None:
    """The others go on answering, and it is replaced."""
    with own_site.serving() as server:
        async with own_site.calling() as client:
            async with loaded(client) as (load, once):
                before = server.workers()
                for victim in before[:2]:
                    kill(victim)
                    await load.heard(UNDER_LOAD)
            deadline = time.monotonic() + WITHIN
            while len(server.workers()) < 4:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            async with own_site.rows() as rows:
                check(await read_kept(rows), load.answers + once.answers, load.people)
            await nothing_works_again(load)
