"""Numbers for codes by text on a real store: set up, trusted, replaced, and all that must not work (S1 to S11)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nightlatch.adapters.delivery.texting import PlainTexting
from nightlatch.app.authenticate import authenticate
from nightlatch.app.challenge import open_challenge
from nightlatch.app.context import Caller
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.factors.find import list_factors
from nightlatch.app.factors.sms import send_again
from nightlatch.app.messages import (
    Activation,
    ContextIn,
    NewAuthentication,
    NewChallenge,
    NewFactor,
    UserPatch,
)
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.users.change import change_user
from nightlatch.app.users.find import find_user
from nightlatch.app.users.reference import user_key
from nightlatch.domain.errors import Conflict, Invalid, Refusal, TextsUnavailable, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.sms import RISK_NOTICE
from nightlatch.domain.records import Channel, FactorStatus
from nightlatch.domain.time import DAY, MINUTE, SECOND, moment
from nightlatch.ports.store import UserKey
from tests.support.codes import shows
from tests.support.ports import OPERATOR, Phone, World
from tests.support.texts import NUMBER, OTHER_NUMBER, TextPhone, answered, bank_with_texts, begun, sends, texted, wrong


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


@pytest.mark.requirement("S1", "S7", "G1", "R3")
async def test_a_number_is_set_up_by_its_code_and_signs_in(each_world: World, bank: Caller) -> None:
    """With the notice of its risk; the number is verified by it, the codes for paper come with it, mfa is asserted."""
    world, phone = each_world, TextPhone.of(each_world)
    await change_user(world.ports, bank, "maya", UserPatch(phones=[NUMBER, OTHER_NUMBER], locale="de"))
    new = NewFactor(kind=FactorKind.SMS, phone="+49 171 392 0001", label="Phone")
    enrolled = await enroll_factor(world.ports, bank, "maya", new)
    now = world.clock.now()
    assert (enrolled.status, enrolled.hint, enrolled.enrollment.sent_to) == (
        FactorStatus.PENDING, "ending 01", "ending 01",
    )  # fmt: skip
    assert (enrolled.enrollment.resend_after, enrolled.enrollment.notice) == (30, RISK_NOTICE)
    assert enrolled.enrollment.code_expires_at == moment(now + 5 * MINUTE)
    (text,) = await phone.texts()
    assert text.startswith("Nightlatch: ")
    assert "richtet diese Nummer ein" in text
    code = await phone.code()
    assert text.endswith(f"\n@mfa.example #{code}")
    active = await activate_factor(world.ports, bank, "maya", enrolled.id, Activation(code=code))
    assert len(active.backup_codes or []) == 10
    factors = (await world.ports.store.load(user_key("maya"))).factors
    (factor,) = (f for f in factors if f.kind is FactorKind.SMS)
    assert factor.public == {
        "hint": "ending 01", "country": "DE", "prefix": "+49171", "approved": False, "risk_noticed_at": now,
    }  # fmt: skip
    phones = (await find_user(world.ports, bank, "maya")).phones
    assert [(address.value, address.verified_at) for address in phones] == [
        (NUMBER, moment(world.clock.now())), (OTHER_NUMBER, None),
    ]  # fmt: skip
    attempt = await begun(world, bank)
    assert [(f.kind, f.hint) for f in attempt.factors] == [
        (FactorKind.SMS, "ending 01"),
        (FactorKind.BACKUP_CODES, None),
    ]
    sent = await texted(world, bank, attempt)
    assert (sent.sent_to, sent.resend_after) == ("ending 01", 30)
    done = await answered(world, bank, attempt, await phone.code())
    assert (done.status, done.factor) == ("approved", enrolled.id)
    assert await sends(world) == [(False, True), (False, True)]
    assert [e.data["sends"] for e in await world.events("challenge:opened")] == [1]


@pytest.mark.requirement("K1", "K3", "G2")
async def test_neither_number_nor_code_is_kept_in_clear(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """In no row and no event, once they are delivered and before."""
    world = each_world
    attempt = await begun(world, bank)
    await texted(world, bank, attempt)
    before = str(await world.ports.store.load(UserKey(authentication=attempt.id)))
    code = await mobile.code()
    after = str(await world.ports.store.load(UserKey(authentication=attempt.id))) + str(await world.events())
    for kept in (before, after):
        assert NUMBER[1:] not in kept
        assert not shows(kept, code)
    listed = str(await list_factors(world.ports, bank, "maya"))
    assert "ending 01" in listed
    assert NUMBER[:6] not in listed


@pytest.mark.requirement("S11")
async def test_a_number_is_trusted_after_a_week(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """Not on the day itself."""
    for days in (7, 1):
        each_world.clock.advance(days * DAY)
        await texted(each_world, bank, await begun(each_world, bank))
    assert await sends(each_world) == [(False, True), (False, False), (True, False)]


@pytest.mark.requirement("S7")
async def test_texts_are_never_the_only_way_unless_the_policy_says_so(each_world: World, bank: Caller) -> None:
    """By default somebody has an app first; the decision offers no text, and what was begun in time is not turned on."""
    world, phone = each_world, TextPhone.of(each_world)
    pending = await phone.begun(bank)
    await apply_policy(world.ports, OPERATOR, "mfa_enforcement: {all_users: true}\n", 1)
    with pytest.raises(Conflict) as refused:
        await phone.begun(bank)
    assert refused.value.code == "sms_needs_alternative"
    with pytest.raises(Conflict) as refused:
        await activate_factor(world.ports, bank, "maya", pending, Activation(code=await phone.code()))
    assert refused.value.code == "sms_needs_alternative"
    attempt = await begun(world, bank)
    kept = (await world.ports.store.load(UserKey(authentication=attempt.id))).authentication
    assert kept is not None
    assert "sms" not in kept.allowed_kinds
    app, _ = await world.activated(bank, "maya")
    approval = await world.approval(bank, "maya", app.code())
    active = await phone.activated(bank, approval=approval)
    assert active.status is FactorStatus.ACTIVE
    offered = (await begun(world, bank)).factors
    assert [f.kind for f in offered] == [FactorKind.TOTP, FactorKind.SMS, FactorKind.BACKUP_CODES]


@pytest.mark.requirement("S9", "B1")
async def test_a_new_number_is_a_new_factor(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """It needs the owner's approval; the same number twice does not."""
    other = TextPhone.of(each_world, OTHER_NUMBER)
    with pytest.raises(Refusal) as refused:
        await other.begun(bank)
    assert refused.value.code == "step_up_required"
    assert await other.texts() == []
    attempt = await authenticate(
        each_world.ports,
        bank,
        NewAuthentication(user="maya", action="manage_factors", context=ContextIn(ip="192.0.2.1")),
    )
    await texted(each_world, bank, attempt)
    assert (await answered(each_world, bank, attempt, await mobile.code())).status == "approved"
    with pytest.raises(Conflict) as twice:
        await mobile.begun(bank, approval=attempt.id)
    assert twice.value.code == "number_in_use"
    assert (await other.activated(bank, approval=attempt.id)).hint == "ending 77"


@pytest.mark.requirement("S6", "S2")
async def test_the_code_of_a_set_up_is_sent_again(each_world: World, bank: Caller) -> None:
    """After its wait; the old one is dead, wrong ones are counted, and too late is too late."""
    world, phone = each_world, TextPhone.of(each_world)
    pending = await phone.begun(bank)
    old = await phone.code()
    with pytest.raises(Throttled) as early:
        await send_again(world.ports, bank, "maya", pending)
    assert early.value.retry_after == 30
    world.clock.advance(30 * SECOND)
    sent = await send_again(world.ports, bank, "maya", pending)
    assert (sent.sent_to, sent.resend_after) == ("ending 01", 60)
    code = await phone.code()
    with pytest.raises(Invalid) as refused:
        await activate_factor(world.ports, bank, "maya", pending, Activation(code=old if old != code else wrong(code)))
    assert refused.value.fields[0].code == "wrong_code"
    world.clock.advance(5 * MINUTE)
    with pytest.raises(Invalid) as late:
        await activate_factor(world.ports, bank, "maya", pending, Activation(code=code))
    assert late.value.fields[0].code == "expired"
    await send_again(world.ports, bank, "maya", pending)
    active = await activate_factor(world.ports, bank, "maya", pending, Activation(code=await phone.code()))
    with pytest.raises(Conflict) as over:
        await send_again(world.ports, bank, "maya", active.id)
    assert over.value.code == "not_texted"


@pytest.mark.requirement("G3", "S8")
async def test_nothing_is_sent_or_begun_without_leave(each_world: World, bank: Caller) -> None:
    """No gateway: no factor, no challenge, no message, and the next try is not held up."""
    world = each_world
    world.ports = replace(world.ports, texting=PlainTexting(gateways=False))
    phone = TextPhone.of(world)
    for _ in range(2):
        with pytest.raises(TextsUnavailable):
            await phone.begun(bank)
    assert (await list_factors(world.ports, bank, "maya")).data == []
    assert (await world.ports.outbox.waiting()).get(Channel.SMS, 0) == 0
    assert await sends(world) == []


@pytest.mark.requirement("H6")
async def test_nobody_has_no_number(each_world: World, bank: Caller, mobile: TextPhone) -> None:
    """A stranger's sign-in has no factor to text, as that of somebody without one."""
    stranger = await begun(each_world, bank, "nobody")
    real = await begun(each_world, bank)
    for factor in (real.factors[0].id, "fac_" + "0" * 32):
        with pytest.raises(Invalid) as refused:
            await open_challenge(each_world.ports, bank, stranger.id, NewChallenge(factor=factor))
        assert refused.value.fields[0].code == "no_such_factor"
    assert len(await mobile.texts()) == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (None, "required"),
        ("0171 3920001", "invalid_phone"),
        ("+49 30 123456", "not_textable"),
        ("+49 900 1 234567", "not_textable"),
        ("+8816123456789", "not_textable"),
    ],
)
async def test_numbers_that_get_no_texts(world: World, number: str | None, code: str) -> None:
    """Told at the field, and nothing was begun."""
    caller = await world.application()
    await world.person(caller)
    with pytest.raises(Invalid) as refused:
        await enroll_factor(world.ports, caller, "maya", NewFactor(kind=FactorKind.SMS, phone=number))
    assert [(problem.pointer, problem.code) for problem in refused.value.fields] == [("/phone", code)]


async def test_an_app_has_no_number(world: World) -> None:
    """And a number nothing of an app's."""
    caller = await world.application()
    await world.person(caller)
    both = [
        NewFactor(kind=FactorKind.TOTP, phone=NUMBER),
        NewFactor(kind=FactorKind.SMS, phone=NUMBER, period=60, algorithm="SHA256"),
    ]
    pointers = []
    for new in both:
        with pytest.raises(Invalid) as refused:
            await enroll_factor(world.ports, caller, "maya", new)
        pointers += [problem.pointer for problem in refused.value.fields]
    assert pointers == ["/phone", "/algorithm", "/period"]
    assert isinstance(await world.begun(caller, "maya"), Phone)
