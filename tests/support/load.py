"""Mixed load on a server, and a checker: what was answered and what the database says must tell one story."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from sqlalchemy import Connection, func, select

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.tables import AUDIT_LOG, AUDIT_QUEUE, AUTHENTICATIONS, EVENTS, FACTOR_STATE
from nightlatch.domain.records import Authentication, Event, FactorState
from nightlatch.domain.throttle import Lane as ThrottleLane
from nightlatch.domain.throttle import after_failure, after_success
from tests.support.installation import WITHIN
from tests.support.server import Client, Person

REFUSED = ("wrong_code", "replayed")
Send = Callable[[Person, str], Coroutine[Any, Any, httpx.Response]]


@dataclass(frozen=True)
class Answer:
    """One code that was sent, and what came back: `approved`, a reason, a refusal's code; `unknown` without an
    answer, or where the server does not know itself (503)."""

    person: Person
    code: str
    said: str
    authentication: str | None = None


@dataclass
class Load:
    """People who sign in, mistype, and repeat themselves, several at a time; every answer is written down."""

    client: Client
    people: list[Person]
    seed: int
    answers: list[Answer] = field(default_factory=list)
    stopping: bool = False

    async def run(self, tasks: int, each: int | None = None) -> None:
        """So many at once, each so often or until `stopping`."""
        await asyncio.gather(*(self._one(random.Random(self.seed + number), each) for number in range(tasks)))

    async def _one(self, dice: random.Random, each: int | None) -> None:
        done = 0
        while not self.stopping and (each is None or done < each):
            await dice.choice(self._ways)(self, dice.choice(self.people), dice)
            done += 1

    async def _in_one_call(self, person: Person, dice: random.Random) -> None:
        await self.sent(person, self._code(person, dice))

    async def _in_a_sign_in(self, person: Person, dice: random.Random) -> None:
        try:
            begun = await self.client(
                "POST", "/v1/authentications", {"user": person.id, "context": {"ip": "192.0.2.7"}}
            )
        except httpx.TransportError:
            return
        if begun.status_code != 201:
            return
        for _ in range(dice.randint(1, 3)):
            if self.stopping:
                return
            await self.sent(person, self._code(person, dice), self.answering(begun.json()["id"]))

    async def heard(self, more: int, word: str | None = None) -> None:
        """Wait for so many more answers, of any kind or of one."""

        def count() -> int:
            return sum(word in (None, answer.said) for answer in self.answers)

        wanted, deadline = count() + more, time.monotonic() + WITHIN
        while count() < wanted:
            assert time.monotonic() < deadline, (word, count(), wanted)
            await asyncio.sleep(0.02)

    def answering(self, authentication: str) -> Send:
        """How to answer a sign-in."""

        async def send(_: Person, code: str) -> httpx.Response:
            response = await self.client.answer(authentication, code)
            response.extensions["authentication"] = authentication
            return response

        return send

    async def sent(self, person: Person, code: str, send: Send | None = None) -> None:
        """Send one code and write down what came back."""
        send = send or self.client.verify
        try:
            response = await send(person, code)
            body = response.json()
        except httpx.TransportError:
            self.answers.append(Answer(person, code, "unknown"))
            await asyncio.sleep(0.05)
            return
        said = body.get("reason") or body.get("code") or body["status"]
        if said == "unavailable":
            said = "unknown"
            await asyncio.sleep(0.05)
        id_ = body.get("id") or response.extensions.get("authentication")
        self.answers.append(Answer(person, code, said, id_))

    def _code(self, person: Person, dice: random.Random) -> str:
        """Mostly right; at times wrong, or one that was sent before. Who got no answer tries that code again: whoever
        pressed on for as long as a server is away would be out of its sight when it is back (T8)."""
        before = [answer for answer in self.answers[-200:] if answer.person is person]
        if before and before[-1].said == "unknown":
            return before[-1].code
        chance = dice.random()
        if chance < 0.2:
            return person.wrong()
        if chance < 0.3 and before:
            return dice.choice(before).code
        return person.press()

    _ways = (_in_one_call, _in_one_call, _in_a_sign_in)


@dataclass(frozen=True)
class Kept:
    """What a database holds about it all, of one moment."""

    attempts: dict[str, Authentication]
    states: dict[str, FactorState]
    events: list[Event]
    """In the order of the sequence."""

    @property
    def judged(self) -> dict[str, Counter[str]]:
        """How each attempt's codes were judged, by its id."""
        by_attempt: dict[str, Counter[str]] = defaultdict(Counter)
        for event in self.events:
            if event.type in ("authentication:approved", "authentication:answer_refused") and event.authentication_id:
                approved = event.type == "authentication:approved"
                by_attempt[event.authentication_id]["approved" if approved else event.reason or ""] += 1
        return by_attempt


async def read_kept(database: Database) -> Kept:
    """Read it once every event has its place; the sequence must have no gap and name each event once."""
    deadline = time.monotonic() + WITHIN
    while await database.read(_count_queued) and time.monotonic() < deadline:  # noqa: ASYNC110 (it lies in there)
        await asyncio.sleep(0.1)
    return await database.read(_kept)


def _count_queued(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(AUDIT_QUEUE)).scalar_one())


def _kept(connection: Connection) -> Kept:
    assert _count_queued(connection) == 0
    log = connection.execute(select(AUDIT_LOG.c.seq, AUDIT_LOG.c.event_id, AUDIT_LOG.c.leaf).order_by("seq")).all()
    assert [row.seq for row in log] == list(range(1, len(log) + 1))
    events: dict[str, Event] = {}
    for row in connection.execute(select(EVENTS.table)):
        event: Event = EVENTS.mapping.of(tuple(row))
        events[event.id] = event
    assert sorted(events) == sorted(row.event_id for row in log)
    assert all(events[row.event_id].leaf == row.leaf for row in log)
    attempts = [AUTHENTICATIONS.mapping.of(tuple(row)) for row in connection.execute(select(AUTHENTICATIONS.table))]
    states = [FACTOR_STATE.mapping.of(tuple(row)) for row in connection.execute(select(FACTOR_STATE.table))]
    return Kept(
        attempts={attempt.id: attempt for attempt in attempts},
        states={state.factor_id: state for state in states},
        events=[events[row.event_id] for row in log],
    )


def check(kept: Kept, answers: list[Answer], people: list[Person]) -> None:
    """Raise unless answers, events, attempts and counters agree.

    Whoever got no answer may have been judged or not; what is stored must be whole either way.
    """
    _check_answers(kept, answers)
    _check_attempts(kept)
    for person in people:
        _check_counters(kept, person)
        accepted = [answer.code for answer in answers if answer.person is person and answer.said == "approved"]
        pressed = {person.code_of(press): press for press in reversed(range(person.presses))}
        last = max((pressed[code] for code in accepted), default=0)
        assert kept.states[person.factor].counter > last
        if len(pressed) == person.presses:  # no two presses share a code, so that a second use would be one too many
            assert len(set(accepted)) == len(accepted), person


def _check_answers(kept: Kept, answers: list[Answer]) -> None:
    """Each judgement that was told has its event, and no other was made than could be on its way."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        if answer.authentication is not None and answer.said in ("approved", *REFUSED):
            told[answer.authentication][answer.said] += 1
    judged = kept.judged
    for attempt, counts in told.items():
        assert counts <= judged[attempt], (attempt, counts, judged[attempt])
    theirs = {answer.person.id for answer in answers}
    untold = 0
    for attempt, counts in judged.items():
        if kept.attempts[attempt].user_id not in theirs:
            continue  # of another test on the same server
        counts = Counter({word: count for word, count in counts.items() if word in ("approved", *REFUSED)})
        untold += (counts - told[attempt]).total()
    assert untold <= sum(answer.said == "unknown" for answer in answers)


def _check_attempts(kept: Kept) -> None:
    for id_, attempt in kept.attempts.items():
        counts = kept.judged[id_]
        assert attempt.wrong_answers == sum(counts[reason] for reason in REFUSED), attempt
        assert (attempt.status == "approved") == (counts["approved"] == 1), attempt


def _check_counters(kept: Kept, person: Person) -> None:
    """The throttle's state is what its rules make of the events, one after the other."""
    replayed = FactorState(factor_id=person.factor, user_id=person.id)
    for event in kept.events:
        if event.factor_id != person.factor:
            continue
        if event.type in ("authentication:approved", "factor:activated"):
            replayed = after_success(replayed)
        elif event.reason in REFUSED:
            replayed = after_failure(replayed, ThrottleLane.OTHER, event.at)
    state = kept.states[person.factor]
    expected = msgspec.structs.replace(replayed, counter=state.counter, last_used_at=state.last_used_at)
    assert state == expected
