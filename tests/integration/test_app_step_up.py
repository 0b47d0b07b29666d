"""Changing how somebody signs in, with their own approval and not otherwise, on a real store (B1, E4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.context import Caller
from nightlatch.app.devices import list_devices
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.backup_codes import new_backup_codes, replace_codes
from nightlatch.app.factors.enroll import begin_factor, checked_factor, enroll_factor
from nightlatch.app.factors.find import list_factors
from nightlatch.app.factors.remove import drop_factor, remove_factor
from nightlatch.app.messages import (
    Activation,
    ContextIn,
    NewAuthentication,
    NewBackupCodes,
    NewFactor,
    NewVerification,
    VerificationAnswer,
)
from nightlatch.app.step_up import Leave
from nightlatch.app.users.reference import user_key
from nightlatch.domain.errors import Conflict, NotFound, StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import FactorStatus
from nightlatch.domain.time import MINUTE, SECOND
from tests.support.ports import OPERATOR, Phone, World

TOTP = FactorKind.TOTP


@pytest.fixture
async def bank(world: World) -> Caller:
    """An application with a user, Maya."""
    caller = await world.application()
    await world.person(caller)
    return caller


@pytest.fixture
async def phone(world: World, bank: Caller) -> Phone:
    """Maya's active factor."""
    active, _ = await world.activated(bank, "maya")
    return active


async def verified(world: World, caller: Caller, code: str) -> VerificationAnswer:
    """How a sign-in with this code ends."""
    begun = await authenticate(world.ports, caller, NewAuthentication(user="maya", context=ContextIn(ip="192.0.2.1")))
    return await answer(world.ports, caller, begun.id, NewVerification(code=code))


@pytest.mark.requirement("B1", "E4", "G1")
async def test_a_key_alone_never_changes_how_somebody_signs_in(world: World, bank: Caller, phone: Phone) -> None:
    """Neither adding, nor removing, nor new codes; not by the command line either; and each try is noted."""
    attempts: list[Callable[[Caller], Awaitable[object]]] = [
        lambda who: enroll_factor(world.ports, who, "maya", NewFactor(kind=TOTP)),
        lambda who: remove_factor(world.ports, who, "maya", phone.factor_id, None),
        lambda who: new_backup_codes(world.ports, who, "maya", NewBackupCodes()),
        lambda who: enroll_factor(world.ports, who, "maya", NewFactor(kind=TOTP, approval="\0nonsense")),
    ]
    for attempt in attempts:
        for who in (bank, OPERATOR):
            with pytest.raises(StepUpRequired):
                await attempt(who)
    refusals = await world.events("approval:refused")
    assert [event.data["wanted"] for event in refusals[::2]] == [
        "factor:enrolled",
        "factor:removed",
        "backup_codes:created",
        "factor:enrolled",
    ]
    assert {event.outcome for event in refusals} == {"failure"}
    assert len((await list_factors(world.ports, bank, "maya")).data) == 2


@pytest.mark.requirement("B1", "E4", "G1")
async def test_the_owner_approves_and_adds_a_second_factor(world: World, bank: Caller, phone: Phone) -> None:
    """The approval is asked for at the beginning; the second brings no backup codes; the event names the approval."""
    approval = await world.approval(bank, "maya", phone.code())
    second = await world.begun(bank, "maya", approval=approval)
    active = await activate_factor(world.ports, bank, "maya", second.factor_id, Activation(code=second.code()))
    assert (active.status, active.backup_codes) == (FactorStatus.ACTIVE, None)
    enrolled = (await world.events("factor:enrolled"))[-1]
    assert enrolled.data == {"approved": True, "approval": approval}


@pytest.mark.requirement("B1", "E4")
async def test_an_approval_works_once_and_for_five_minutes(world: World, bank: Caller, phone: Phone) -> None:
    """For whatever it was used first."""
    approval = await world.approval(bank, "maya", phone.code())
    await world.begun(bank, "maya", approval=approval)
    with pytest.raises(StepUpRequired):
        await remove_factor(world.ports, bank, "maya", phone.factor_id, approval)
    late = await world.approval(bank, "maya", phone.code())
    world.clock.advance(5 * MINUTE)
    with pytest.raises(StepUpRequired):
        await world.begun(bank, "maya", approval=late)


@pytest.mark.requirement("B1", "E4")
async def test_a_sign_in_is_no_approval_and_neither_is_another_applications(
    world: World, bank: Caller, phone: Phone
) -> None:
    """Nor another person's."""
    wiki = await world.application("wiki")
    await world.person(bank, "noor")
    noors, _ = await world.activated(bank, "noor")
    for approval in (
        await world.approval(bank, "maya", phone.code(), action="login"),
        await world.approval(wiki, "maya", phone.code()),
        await world.approval(bank, "noor", noors.code()),
    ):
        with pytest.raises(StepUpRequired):
            await world.begun(bank, "maya", approval=approval)


@pytest.mark.requirement("B1")
async def test_an_unanswered_authentication_approves_nothing(world: World, bank: Caller, phone: Phone) -> None:
    """Pending, and after wrong answers rejected."""
    asked = NewAuthentication(user="maya", action="manage_factors", context=ContextIn(ip="192.0.2.1"))
    begun = await authenticate(world.ports, bank, asked)
    with pytest.raises(StepUpRequired):
        await world.begun(bank, "maya", approval=begun.id)
    await answer(world.ports, bank, begun.id, NewVerification(code=phone.wrong()))
    with pytest.raises(StepUpRequired):
        await world.begun(bank, "maya", approval=begun.id)


@pytest.mark.requirement("B1")
async def test_what_was_begun_as_the_first_cannot_become_the_second(world: World, bank: Caller) -> None:
    """Whoever begins a factor before the owner does, and waits, has gained nothing."""
    strangers = await world.begun(bank, "maya")
    owners = await world.begun(bank, "maya")
    await activate_factor(world.ports, bank, "maya", owners.factor_id, Activation(code=owners.code()))
    with pytest.raises(StepUpRequired):
        await activate_factor(world.ports, bank, "maya", strangers.factor_id, Activation(code=strangers.code()))
    (event,) = await world.events("approval:refused")
    assert event.data["wanted"] == "factor:activated"
    kinds = [f.kind for f in (await list_factors(world.ports, bank, "maya")).data if f.status is FactorStatus.ACTIVE]
    assert kinds == [TOTP, FactorKind.BACKUP_CODES]


@pytest.mark.requirement("B1")
async def test_pages_cannot_begin_a_second_factor_without_leave_either(
    world: World, bank: Caller, phone: Phone
) -> None:
    """The piece that all ways share asks for it, whoever calls."""
    snapshot = await world.ports.store.load(user_key("maya"))
    wanted = checked_factor(NewFactor(kind=TOTP))
    for piece in (
        begin_factor(world.ports, bank, snapshot, wanted, Leave(approved=False), world.clock.now()),
        drop_factor(world.ports, bank, snapshot, phone.factor_id, Leave(approved=False), world.clock.now()),
        replace_codes(world.ports, bank, snapshot, Leave(approved=False), world.clock.now()),
    ):
        with pytest.raises(StepUpRequired):
            await piece


@pytest.mark.requirement("R6", "G4", "B1")
async def test_removing_the_last_factor_takes_its_backup_codes_and_all_devices(
    world: World, bank: Caller, phone: Phone
) -> None:
    """A set of codes stands in for a factor; the history stays; the next first factor brings new codes."""
    wiki = await world.application("wiki")
    await world.approval(wiki, "maya", phone.code(), action="login")
    approval = await world.approval(bank, "maya", phone.code())
    await remove_factor(world.ports, bank, "maya", phone.factor_id, approval)
    assert (await list_factors(world.ports, bank, "maya")).data == []
    assert (await list_devices(world.ports, wiki, "maya")).data == []
    removed = await world.events("factor:removed")
    assert [(e.factor_kind, e.data["approval"]) for e in removed] == [("totp", approval), ("backup_codes", approval)]
    assert (await world.events("device:revoked"))[0].reason == "factor_removed"
    assert [e.type for e in await world.events() if e.factor == phone.factor_id] == [
        "factor:enrolled",
        "factor:activated",
        "authentication:approved",
        "authentication:approved",
        "factor:removed",
    ]
    assert (await verified(world, bank, phone.code())).status == "rejected"
    _, again = await world.activated(bank, "maya")
    assert again.backup_codes is not None


async def test_removing_one_of_two_keeps_the_backup_codes(world: World, bank: Caller, phone: Phone) -> None:
    """They still have something to stand in for."""
    approval = await world.approval(bank, "maya", phone.code())
    second = await world.begun(bank, "maya", approval=approval)
    await activate_factor(world.ports, bank, "maya", second.factor_id, Activation(code=second.code()))
    world.clock.advance(30 * SECOND)
    begun = await authenticate(
        world.ports,
        bank,
        NewAuthentication(user="maya", action="manage_factors", context=ContextIn(ip="192.0.2.1")),
    )
    done = await answer(world.ports, bank, begun.id, NewVerification(code=second.code(), factor=second.factor_id))
    assert done.status == "approved"
    await remove_factor(world.ports, bank, "maya", phone.factor_id, begun.id)
    kinds = [f.kind for f in (await list_factors(world.ports, bank, "maya")).data]
    assert kinds == [TOTP, FactorKind.BACKUP_CODES]
    with pytest.raises(NotFound):
        await remove_factor(world.ports, bank, "maya", phone.factor_id, None)


async def test_dropping_a_pending_factor_needs_no_approval(world: World, bank: Caller, phone: Phone) -> None:
    """It never counted, and takes no device with it."""
    await world.approval(bank, "maya", phone.code(), action="login")
    approval = await world.approval(bank, "maya", phone.code())
    pending = await world.begun(bank, "maya", approval=approval)
    devices = (await list_devices(world.ports, bank, "maya")).data
    await remove_factor(world.ports, bank, "maya", pending.factor_id, None)
    assert (await list_devices(world.ports, bank, "maya")).data == devices
    assert (await world.events("factor:removed"))[0].data == {"status": "pending", "approval": None}


@pytest.mark.requirement("L1", "L2", "L3", "L4", "L5", "B1")
async def test_backup_codes_are_shown_once_used_once_and_replaced_whole(world: World, bank: Caller) -> None:
    """A new set kills the old; each code opens once; a code approves its own replacement."""
    _, first = await world.activated(bank, "maya")
    assert first.backup_codes is not None
    old = first.backup_codes
    assert all(len(code.replace("-", "")) == 16 for code in old)
    used = await verified(world, bank, old[3].lower())
    assert (used.status, used.backup_codes_left) == ("approved", 9)
    assert (await verified(world, bank, old[3])).status == "rejected"
    approval = await world.approval(bank, "maya", old[0])
    new = (await new_backup_codes(world.ports, bank, "maya", NewBackupCodes(approval=approval))).backup_codes
    assert len(new) == 10
    assert not set(new) & set(old)
    with pytest.raises(StepUpRequired):
        await new_backup_codes(world.ports, bank, "maya", NewBackupCodes(approval=approval))
    assert (await verified(world, bank, old[1])).status == "rejected"
    assert (await verified(world, bank, new[1])).status == "approved"
    shown = (await list_factors(world.ports, bank, "maya")).data[-1]
    assert (shown.kind, shown.codes_left) == (FactorKind.BACKUP_CODES, 9)
    created = await world.events("backup_codes:created")
    assert created[1].data["replaces"] == [created[0].factor]


async def test_backup_codes_need_a_factor_to_stand_in_for(world: World, bank: Caller) -> None:
    """They come with the first activation."""
    with pytest.raises(Conflict) as refused:
        await new_backup_codes(world.ports, bank, "maya", NewBackupCodes())
    assert refused.value.code == "no_active_factor"
