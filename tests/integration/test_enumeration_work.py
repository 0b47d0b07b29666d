"""Whether somebody has an account, and how it stands, shows neither in an answer's shape nor in the work done for it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import msgspec
import pytest

from nightlatch.adapters.letters import JinjaMailRenderer
from nightlatch.adapters.sql.ephemeral import SqlEphemeral
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.users.reference import user_key
from nightlatch.domain.brand import Brand
from nightlatch.domain.records import Address, Channel
from nightlatch.domain.time import SECOND
from nightlatch.ports.store import Change, Outcome
from tests.support.api import CONTEXT, Api, Application, open_api
from tests.support.ports import OPERATOR, World
from tests.support.work import Work

BACK = "https://bank.example/back"
NO_GRACE = "mfa_enforcement: {all_users: true, grace_period: 0s}\n"
FORM_OF_A_BACKUP_CODE = "3ABC-DEFG-HJKM-NPQR"
NO_FACTOR = "fac_" + "0" * 32


@dataclass
class People:
    """One of each standing, at an application; what each is called."""

    api: Api
    bank: Application
    work: Work
    ids: dict[str, str]

    async def ask(self, call: Call, who: str) -> tuple[httpx.Response, tuple[int, int]]:
        """One call about somebody: the answer, and the work that it took."""
        await self.work.taken()
        answer = await call(self, who)
        return answer, await self.work.taken()

    async def begun(self, who: str, **fields: Any) -> str:
        """The id of a sign-in of theirs."""
        answer = await self.bank("POST", "/v1/authentications", {"user": who, "context": CONTEXT} | fields)
        return str(answer.json()["id"])


Call = Callable[[People, str], Awaitable[httpx.Response]]

NOBODY, PLAIN, PHONE, DISABLED, BARE, DELETED = "nobody", "plain", "phone", "disabled", "bare", "deleted"


@pytest.fixture
async def people(watched: tuple[World, Work]) -> AsyncIterator[People]:
    """Nobody, somebody without factors, with, disabled (with and without), and deleted."""
    async with made_people(*watched) as made:
        yield made


@pytest.fixture
async def mailed(watched: tuple[World, Work]) -> AsyncIterator[People]:
    """The same with a mail server, and each of them with a verified address."""
    world, work = watched
    kept_by_all = SqlEphemeral(world.database, world.clock)
    world.ports = replace(world.ports, mailing=JinjaMailRenderer(Brand(name="Meridian")), ephemeral=kept_by_all)
    async with made_people(world, work) as made:
        for name in (PLAIN, PHONE, DISABLED, BARE):
            await verify_address(world, name)
        yield made
        await kept_by_all.close()


async def verify_address(world: World, name: str) -> None:
    """As its owner does."""
    snapshot = await world.ports.store.load(user_key(name))
    assert snapshot.user is not None
    address = Address(f"{name}@home.example", world.clock.now())
    user = msgspec.structs.replace(snapshot.user, emails=(address,))
    change = Change(root=user.id, expected=snapshot.version, puts=(user,))
    assert await world.ports.store.commit(change) is Outcome.APPLIED


@asynccontextmanager
async def made_people(world: World, work: Work) -> AsyncIterator[People]:
    """One of each standing."""
    await apply_policy(world.ports, OPERATOR, NO_GRACE, 0)
    async with open_api(world) as api:
        bank = await api.application(return_urls=[BACK])
        ids = {name: await api.person(bank, name) for name in (PLAIN, PHONE, DISABLED, BARE, DELETED)}
        for name in (PHONE, DISABLED, DELETED):
            await api.phone(bank, ids[name])
        for name in (DISABLED, BARE):
            await bank("PATCH", f"/v1/users/{name}", {"status": "disabled"})
        await bank("DELETE", f"/v1/users/{DELETED}")
        made = People(api, bank, work, ids)
        # The first decision that wants a factor writes down when it was; afterwards all are alike.
        for name in (NOBODY, PLAIN, PHONE):
            await made.begun(name)
        yield made


def decided(**fields: Any) -> Call:
    """Ask for a decision."""

    async def call(people: People, who: str) -> httpx.Response:
        return await people.bank("POST", "/v1/authentications", {"user": who, "context": CONTEXT} | fields)

    return call


def verified(**body: Any) -> Call:
    """Decision and verification in one call."""

    async def call(people: People, who: str) -> httpx.Response:
        return await people.bank("POST", "/v1/verify", {"user": who, "context": CONTEXT} | body)

    return call


def on_a_sign_in(method: str, path: str, body: Any = None) -> Call:
    """A call on a sign-in that was begun for it."""

    async def call(people: People, who: str) -> httpx.Response:
        id_ = await people.begun(who)
        await people.work.taken()
        return await people.bank(method, f"/v1/authentications/{id_}{path}", body)

    return call


CODE, BACKUP, NAMED = {"code": "123456"}, {"code": FORM_OF_A_BACKUP_CODE}, {"code": "123456", "factor": NO_FACTOR}
DECIDING: dict[str, Call] = {
    "decision": decided(),
    "decision of a device": decided(context=CONTEXT | {"device_token": "Z" * 43}),
    "decision for the prompt": decided(return_url=BACK, state="s"),
    "code in one call": verified(**CODE),
    "backup code in one call": verified(**BACKUP),
    "code of a factor in one call": verified(**NAMED),
    "no code in one call": verified(code="?"),
}
ANSWERING: dict[str, Call] = {
    "code": on_a_sign_in("POST", "/verifications", CODE),
    "backup code": on_a_sign_in("POST", "/verifications", BACKUP),
    "code of a factor": on_a_sign_in("POST", "/verifications", NAMED),
    "reading": on_a_sign_in("GET", ""),
    "challenge": on_a_sign_in("POST", "/challenges", {"factor": NO_FACTOR}),
    "skip": on_a_sign_in("POST", "/skip"),
    "result": on_a_sign_in("POST", "/result", {"code": "Z" * 43}),
    "cancellation": on_a_sign_in("POST", "/cancellation"),
}

_CHANGING = re.compile(rb"(usr|atn|fac|req)_[0-9a-f]{32}|20\d\d-[0-9T:.-]+Z|ticket=[A-Za-z0-9_-]{43}")


def shape(value: Any) -> Any:
    """The names and kinds of values in an answer, without the values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value).__name__


@pytest.mark.requirement("H6")
async def test_nobody_is_answered_as_somebody_without_factors(people: People) -> None:
    """Word for word but for ids, and with the same statements and hashes; a deleted person is nobody."""
    for name, call in (DECIDING | ANSWERING).items():
        answers = {who: await people.ask(call, who) for who in (NOBODY, PLAIN, DELETED, NOBODY)}
        texts = {who: _CHANGING.sub(b"*", answer.content) for who, (answer, _) in answers.items()}
        assert texts[NOBODY] == texts[PLAIN] == texts[DELETED], name
        statuses = {answer.status_code for answer, _ in answers.values()}
        assert len(statuses) == 1, name
        work = {who: done for who, (_, done) in answers.items()}
        assert len(set(work.values())) == 1, (name, work)
        assert work[NOBODY][1] == (1 if name.startswith("backup") else 0), name


@pytest.mark.requirement("H6")
async def test_a_mail_that_is_due_to_somebody_costs_nobody_nothing(mailed: People) -> None:
    """Who has no factor, or may not sign in, is answered with the work of nobody; who has one is told of wrong codes."""
    for name, call in (DECIDING | ANSWERING).items():
        work = {who: (await mailed.ask(call, who))[1] for who in (NOBODY, PLAIN, DISABLED, BARE, DELETED, NOBODY)}
        alike = {done for who, done in work.items() if who in (NOBODY, PLAIN, DELETED) or name in DECIDING}
        assert len(alike) == 1, (name, work)
    waiting = await mailed.api.world.ports.outbox.claim(Channel.MAIL, limit=9, lease=SECOND)
    assert waiting == []
    await mailed.ask(verified(**CODE), PHONE)
    assert len(await mailed.api.world.ports.outbox.claim(Channel.MAIL, limit=9, lease=SECOND)) == 1


@pytest.mark.requirement("H6")
async def test_ids_of_nobody_are_answered_alike(people: People) -> None:
    """An id that was never given, one of a deleted person, and one of somebody without factors."""
    named = ("usr_" + "7" * 32, people.ids[DELETED], people.ids[PLAIN])
    for name, call in (DECIDING | ANSWERING).items():
        answers = [await people.ask(call, who) for who in named]
        assert len({_CHANGING.sub(b"*", answer.content) for answer, _ in answers}) == 1, name
        assert len({done for _, done in answers}) == 1, (name, [done for _, done in answers])


@pytest.mark.requirement("H6")
async def test_a_decision_has_one_shape_and_costs_the_same_whoever_it_is_about(people: People) -> None:
    """With factors or without, disabled or not. A wrong code costs one row more where it is counted."""
    for name, call in DECIDING.items():
        answers = {who: await people.ask(call, who) for who in (NOBODY, PLAIN, PHONE, DISABLED, BARE, DELETED)}
        assert {answer.status_code for answer, _ in answers.values()} <= {200, 201}, name
        if name.startswith("decision"):
            told = {who: set(answer.json()) - {"reason"} for who, (answer, _) in answers.items()}
        else:
            told = {who: shape(answer.json()) for who, (answer, _) in answers.items()}
        assert all(said == told[NOBODY] for said in told.values()), (name, told)
        counted = {who: done for who, (_, done) in answers.items()}
        statements, hashes = counted[NOBODY]
        one_more = "one call" in name and answers[PHONE][0].json()["reason"] == "wrong_code"
        sqlite = people.api.world.database.dialect == "sqlite"
        expected = dict.fromkeys(counted, (statements, hashes)) | {PHONE: (statements + (one_more and sqlite), hashes)}
        assert counted == expected, name


@pytest.mark.requirement("H6")
async def test_the_same_decoy_stands_for_a_name_every_time(people: People) -> None:
    """Or asking twice would tell; and no two names share one."""
    ids = [(await decided()(people, who)).json()["user"] for who in (NOBODY, "somebody", NOBODY, "NOBODY")]
    assert ids[0] == ids[2] == ids[3] != ids[1]
    assert all(re.fullmatch(r"usr_[0-9a-f]{12}7[0-9a-f]{19}", id_) for id_ in ids)


@pytest.mark.requirement("H6")
async def test_in_the_grace_period_nobody_is_never_let_in(people: People) -> None:
    """Where somebody without factors may put it off, nobody is refused (api.md); the shape stays."""
    await apply_policy(people.api.world.ports, OPERATOR, "mfa_enforcement: {all_users: true, grace_period: 9d}\n", 1)
    await people.begun(PLAIN)
    answers = {who: await people.ask(decided(), who) for who in (NOBODY, PLAIN)}
    said = {who: answer.json() for who, (answer, _) in answers.items()}
    assert (said[NOBODY]["decision"], said[PLAIN]["decision"]) == ("deny", "enroll")
    assert set(said[NOBODY]) - {"reason"} == set(said[PLAIN]) - {"reason"}
    assert answers[NOBODY][1] == answers[PLAIN][1]
    assert said[NOBODY]["assertion"] is None
    refused = await people.bank("POST", f"/v1/authentications/{said[NOBODY]['id']}/skip")
    assert refused.status_code == 409
