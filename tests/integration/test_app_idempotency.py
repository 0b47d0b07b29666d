"""A POST that creates, repeated under its key, on a real store."""

from __future__ import annotations

import asyncio

import pytest

from nightlatch.app.context import Caller
from nightlatch.app.idempotency import KEPT_FOR, TAKE_OVER_AFTER, Made, Once, once
from nightlatch.domain.errors import Conflict, Invalid, NotFound, Refusal, Unavailable
from tests.support.ports import OPERATOR, World

ROUTE = "POST /v1/users"


class Work:
    """Something that creates, and counts how often it did."""

    def __init__(self, *, secret: bool = False, fails: Exception | None = None, waits: bool = False) -> None:
        self.done = 0
        self.fails = fails
        self.secret = secret
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        if not waits:
            self.may_end.set()

    async def __call__(self) -> Made:
        """Create."""
        self.begun.set()
        await self.may_end.wait()
        if self.fails is not None:
            raise self.fails
        self.done += 1
        return Made(201, f'{{"n":{self.done}}}'.encode(), created_id=f"usr_{self.done}", secret=self.secret)


async def post(
    world: World,
    caller: Caller,
    work: Work,
    *,
    key: str | None = "k1",
    body: bytes = b"{}",
    route: str = ROUTE,
    repeatable: bool = True,
) -> Made:
    """One request."""
    return await once(world.ports, caller, route=route, key=key, body=body, work=work, repeatable=repeatable)


def code(refused: pytest.ExceptionInfo[Refusal]) -> str:
    """The stable word of a refusal."""
    return refused.value.code


async def test_a_repeat_gets_the_first_answer(world: World) -> None:
    """The work is done once, whoever asks again, for 24 hours."""
    bank, work = await world.application(), Work()
    first = await post(world, bank, work)
    world.clock.advance(KEPT_FOR - 1)
    again = await post(world, bank, work)
    assert (again.status, again.body, again.created_id, work.done) == (first.status, first.body, first.created_id, 1)
    world.clock.advance(1)
    assert (await post(world, bank, work)).created_id == "usr_2"


async def test_a_key_belongs_to_one_application_and_one_route(world: World) -> None:
    """The same key elsewhere is another key; without one, or for an operator, the work is simply done."""
    bank, wiki, work = await world.application("bank"), await world.application("wiki"), Work()
    await post(world, bank, work)
    await post(world, wiki, work)
    await post(world, bank, work, route="POST /v1/authentications")
    await post(world, bank, work, key="k2")
    for _ in range(2):
        await post(world, bank, work, key=None)
        await post(world, OPERATOR, work)
    assert work.done == 8


async def test_another_body_is_refused(world: World) -> None:
    """422, and nothing is done."""
    bank, work = await world.application(), Work()
    await post(world, bank, work)
    with pytest.raises(Invalid) as refused:
        await post(world, bank, work, body=b'{"x":1}')
    assert code(refused) == "idempotency_mismatch"
    assert work.done == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä", "a\n"])
async def test_what_is_no_key(world: World, key: str) -> None:
    """Printable ASCII, at most 255."""
    with pytest.raises(Invalid) as refused:
        await post(world, await world.application(), Work(), key=key)
    assert code(refused) == "invalid_idempotency_key"


async def test_while_the_first_runs_the_second_is_told_to_wait(world: World) -> None:
    """Of many at once one works."""
    bank, work = await world.application(), Work(waits=True)
    crowd = [asyncio.create_task(post(world, bank, work)) for _ in range(20)]
    await work.begun.wait()
    with pytest.raises(Conflict) as refused:
        await post(world, bank, work)
    assert code(refused) == "idempotency_running"
    work.may_end.set()
    done = await asyncio.gather(*crowd, return_exceptions=True)
    assert work.done == 1
    assert sum(isinstance(one, Made) for one in done) >= 1
    refusals = {one.code for one in done if isinstance(one, Refusal)}
    assert refusals <= {"idempotency_running"}


@pytest.mark.requirement("K1", "L4")
async def test_an_answer_with_a_secret_is_never_stored(world: World) -> None:
    """Its repeat names what was made."""
    bank, work = await world.application(), Work(secret=True)
    await post(world, bank, work)
    with pytest.raises(Conflict) as refused:
        await post(world, bank, work)
    assert code(refused) == "already_created"
    assert refused.value.extra == {"id": "usr_1"}
    assert bank.application is not None
    found = await world.ports.catalog.idempotent_answer(Once(bank.application.id, ROUTE, "k1", b"").id)
    assert found is not None
    assert found[0].sealed is None
    assert work.done == 1


@pytest.mark.requirement("K1")
async def test_a_stored_answer_is_sealed_in_its_place(world: World) -> None:
    """The row holds no word of it."""
    bank = await world.application()
    await post(world, bank, Work())
    assert bank.application is not None
    found = await world.ports.catalog.idempotent_answer(Once(bank.application.id, ROUTE, "k1", b"").id)
    assert found is not None
    assert found[0].sealed is not None
    assert b'{"n"' not in found[0].sealed


async def test_a_refusal_is_not_kept(world: World) -> None:
    """Nothing was created; the next try is judged anew, with another body too."""
    bank, work = await world.application(), Work(fails=NotFound())
    with pytest.raises(NotFound):
        await post(world, bank, work)
    work.fails = None
    assert (await post(world, bank, work, body=b'{"better":1}')).created_id == "usr_1"


@pytest.mark.requirement("G3")
@pytest.mark.parametrize("fails", [Unavailable(), RuntimeError("killed")])
async def test_after_an_unknown_outcome_nobody_works_at_once(world: World, fails: Exception) -> None:
    """For a minute it runs; then what harms nobody is done again, and what would is looked at first."""
    bank, work = await world.application(), Work(fails=fails)
    for key in ("k1", "k2"):
        with pytest.raises(type(fails)):
            await post(world, bank, work, key=key)
    work.fails = None
    world.clock.advance(TAKE_OVER_AFTER - 1)
    with pytest.raises(Conflict) as refused:
        await post(world, bank, work)
    assert code(refused) == "idempotency_running"
    world.clock.advance(1)
    assert (await post(world, bank, work)).created_id == "usr_1"
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            await post(world, bank, work, key="k2", repeatable=False)
        assert code(refused) == "idempotency_interrupted"
    assert work.done == 1


async def test_the_slow_first_does_not_overwrite_who_took_over(world: World) -> None:
    """It gets its own answer; repeats get that of whoever took over."""
    bank, slow, quick = await world.application(), Work(waits=True), Work()
    first = asyncio.create_task(post(world, bank, slow))
    await slow.begun.wait()
    world.clock.advance(TAKE_OVER_AFTER)
    quick.done = 6
    assert (await post(world, bank, quick)).created_id == "usr_7"
    slow.may_end.set()
    assert (await first).created_id == "usr_1"
    assert (await post(world, bank, quick)).created_id == "usr_7"
