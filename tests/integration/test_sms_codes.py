"""Codes by text in sign-ins on a real store: right, late, resent, and used by many at once (S2 to S6, S11)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from nightlatch.adapters.delivery.texting import PlainTexting
from nightlatch.app.context import Caller
from nightlatch.app.messages import (
    ChallengeAnswer,
    ContextIn,
    OneShot,
    VerificationAnswer,
)
from nightlatch.app.users.reference import user_key
from nightlatch.app.verify import verify
from nightlatch.domain.errors import Conflict, Invalid, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.store import UserKey
from nightlatch.ports.texting import SendRequest
from tests.support.ports import World
from tests.support.texts import NUMBER, TextPhone, answered, bank_with_texts, begun, sends, texted, wrong

CROWD = 50


@pytest.fixture
async def bank(each_world: World) -> Caller:
    """An application with a user, Maya, where texts may be the only way."""
    return await bank_with_texts(each_world)


@pytest.fixture
async def mobile(each_world: World, bank: Caller) -> TextPhone:
    """Maya's, set up a moment ago."""
    phone = TextPhone.of(each_world)
    await phone.activated(bank)
    return phone


@pytest.mark.requirement("S2")
async def test_a_code_is_dead_after_five_minutes(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """Right or wrong, it came too late, and is counted; the microsecond before it was good."""
    world = each_world
    first = await begun(world, bank)
    await texted(world, bank, first)
    world.clock.advance(5 * MINUTE - 1)
    assert (await answered(world, bank, first, await mobile.code())).status == "approved"
    attempt = await begun(world, bank)
    await texted(world, bank, attempt)
    code = await mobile.code()
    world.clock.advance(5 * MINUTE)
    assert (await answered(world, bank, attempt, code)).reason == "expired"
    assert (await answered(world, bank, attempt, wrong(code))).reason == "expired"
    state = (await world.ports.store.load(user_key("maya"))).states[attempt.factors[0].id]
    assert state.failures_other == 2


@pytest.mark.requirement("S2", "T10")
async def test_a_code_from_the_future_is_too_old(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """The clock was set back: nobody knows its age."""
    attempt = await begun(each_world, bank)
    await texted(each_world, bank, attempt)
    code = await mobile.code()
    each_world.clock.advance(-1 * SECOND)
    assert (await answered(each_world, bank, attempt, code)).status == "rejected"


@pytest.mark.requirement("S3")
async def test_a_code_works_once(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """Neither again in its sign-in, nor to turn anything on."""
    attempt = await begun(each_world, bank)
    await texted(each_world, bank, attempt)
    code = await mobile.code()
    assert (await answered(each_world, bank, attempt, code)).status == "approved"
    with pytest.raises(Conflict):
        await answered(each_world, bank, attempt, code)


@pytest.mark.requirement("S5")
async def test_a_code_of_one_sign_in_fails_in_another(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """Even where one was sent for that as well; and the code of a set-up signs nobody in."""
    first, second = await begun(each_world, bank), await begun(each_world, bank)
    await texted(each_world, bank, first)
    mine = await mobile.code()
    assert (await answered(each_world, bank, second, mine, first.factors[0].id)).reason == "wrong_code"
    await texted(each_world, bank, second)
    assert (await answered(each_world, bank, second, mine)).reason == "wrong_code"
    assert (await answered(each_world, bank, first, mine)).status == "approved"


@pytest.mark.requirement("S4", "S6")
async def test_resending_kills_the_old_code_and_forgives_nothing(
    each_world: World, bank: Caller, mobile: TextPhone
) -> None:
    """The same challenge goes on: with its count, and with waits that double; after five texts there is no other."""
    world = each_world
    world.clock.advance(SECOND)
    attempt = await begun(world, bank)
    first = await texted(world, bank, attempt)
    old = await mobile.code()
    assert (await answered(world, bank, attempt, wrong(old))).reason == "wrong_code"
    for seconds, number in ((30, 1), (60, 2), (120, 3), (240, 4)):
        with pytest.raises(Throttled) as early:
            await texted(world, bank, attempt)
        assert early.value.retry_after == seconds
        world.clock.advance(seconds * SECOND - 1)
        with pytest.raises(Throttled):
            await texted(world, bank, attempt)
        world.clock.advance(1)
        again = await texted(world, bank, attempt)
        assert (again.id, again.resend_after) == (first.id, 30 * 2**number)
    world.clock.advance(60 * SECOND)
    with pytest.raises(Conflict) as over:
        await texted(world, bank, attempt)
    assert over.value.code == "too_many_texts"
    (challenge,) = (await world.ports.store.load(UserKey(authentication=attempt.id))).challenges
    assert (challenge.sends, challenge.wrong_answers) == (5, 1)
    assert (await answered(world, bank, attempt, old)).reason == "wrong_code"
    state = (await world.ports.store.load(user_key("maya"))).states[challenge.factor_id]
    assert state.failures_other == 2
    assert (await answered(world, bank, attempt, await mobile.code())).status == "approved"
    assert await sends(world) == [(False, True)] + [(False, False)] * 4 + [(False, True)]


@pytest.mark.requirement("S4", "H1")
async def test_no_text_frees_from_the_fifth_wrong_answer(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """The sign-in is over, the next one sends no text while the way is paused, and other ways still work (H5)."""
    world = each_world
    attempt = await begun(world, bank)
    await texted(world, bank, attempt)
    code = await mobile.code()
    for number in range(5):
        if number == 3:
            world.clock.advance(30 * SECOND)
            await texted(world, bank, attempt)
            code = await mobile.code()
        assert (await answered(world, bank, attempt, wrong(code))).reason == "wrong_code"
    with pytest.raises(Conflict):
        await answered(world, bank, attempt, code)
    with pytest.raises(Throttled) as paused:
        await texted(world, bank, await begun(world, bank))
    assert paused.value.retry_after == 30
    assert len(await mobile.texts()) == 3


@pytest.mark.requirement("S3", "H3")
async def test_one_of_fifty_uses_of_a_code(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """Approved once; the others hear that it is decided, or wait."""
    attempt = await begun(each_world, bank)
    await texted(each_world, bank, attempt)
    code = await mobile.code()
    done = await asyncio.gather(
        *(answered(each_world, bank, attempt, code) for _ in range(CROWD)), return_exceptions=True
    )
    assert all(isinstance(one, VerificationAnswer | Conflict) for one in done), done
    assert sum(isinstance(one, VerificationAnswer) and one.status == "approved" for one in done) == 1


@pytest.mark.requirement("S11", "S6")
async def test_of_fifty_presses_one_sends_and_takes_of_the_budgets_once(
    each_world: World, bank: Caller, mobile: TextPhone
) -> None:
    """The others hear that they come too soon."""
    asked: list[SendRequest] = []

    class Asked(PlainTexting):
        async def permit(self, request: SendRequest, /) -> None:
            asked.append(request)
            await asyncio.sleep(0)

    each_world.ports = replace(each_world.ports, texting=Asked(gateways=True))
    attempt = await begun(each_world, bank)
    before = len(await mobile.texts())
    done = await asyncio.gather(*(texted(each_world, bank, attempt) for _ in range(CROWD)), return_exceptions=True)
    assert all(isinstance(one, ChallengeAnswer | Throttled) for one in done), done
    assert sum(isinstance(one, ChallengeAnswer) for one in done) == 1
    assert len(await mobile.texts()) == before + 1
    (request,) = asked
    assert (request.number, request.prefix, request.country, request.trusted) == (NUMBER, "+49171", "DE", False)
    assert request.application_id == (bank.application.id if bank.application else "")


@pytest.mark.requirement("S6", "S3")
async def test_a_code_and_the_next_text_at_once(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """Whichever is stored first: the code was in time, or it is dead. Never both."""
    attempt = await begun(each_world, bank)
    await texted(each_world, bank, attempt)
    code = await mobile.code()
    each_world.clock.advance(30 * SECOND)
    sent, done = await asyncio.gather(
        texted(each_world, bank, attempt), answered(each_world, bank, attempt, code), return_exceptions=True
    )
    assert isinstance(done, VerificationAnswer)
    if isinstance(sent, ChallengeAnswer):
        assert done.reason == "wrong_code"
        assert (await answered(each_world, bank, attempt, await mobile.code())).status == "approved"
    else:
        assert isinstance(sent, Conflict)
        assert done.status == "approved"


async def test_which_way_a_code_belongs_to(each_world: World, bank: Caller) -> None:
    """Digits are the open text's; without one, the app's; the one-shot call knows no texts."""
    world = each_world
    app, _ = await world.activated(bank, "maya")
    phone = TextPhone.of(world)
    await phone.activated(bank, approval=await world.approval(bank, "maya", app.code()))
    attempt = await begun(world, bank)
    assert (await answered(world, bank, attempt, app.code())).status == "approved"
    world.clock.advance(30 * SECOND)
    attempt = await begun(world, bank)
    await texted(world, bank, attempt)
    assert (await answered(world, bank, attempt, app.code())).reason == "wrong_code"
    assert (await answered(world, bank, attempt, app.code(), app.factor_id)).status == "approved"
    attempt = await begun(world, bank)
    await texted(world, bank, attempt)
    world.clock.advance(5 * MINUTE)
    with pytest.raises(Invalid) as refused:
        await answered(world, bank, attempt, app.code())
    assert refused.value.fields[0].code == "factor_required"
    shot = OneShot(user="maya", code=await phone.code(), context=ContextIn(ip="192.0.2.1"))
    sms_factor = next(f for f in attempt.factors if f.kind is FactorKind.SMS)
    for factor in (None, sms_factor.id):
        once = await verify(
            world.ports, bank, OneShot(user="maya", code=shot.code, context=shot.context, factor=factor)
        )
        assert once.status == "rejected"
