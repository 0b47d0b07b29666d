"""Fifty at once, of which one may succeed; on both kinds of database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import pytest

from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.context import Caller
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.find import list_factors
from nightlatch.app.messages import (
    Activation,
    ContextIn,
    NewAuthentication,
    NewUser,
    NewVerification,
    VerificationAnswer,
)
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.policy.read import list_policy_versions
from nightlatch.app.users.create import create_user
from nightlatch.app.users.reference import user_key
from nightlatch.domain.errors import Conflict, PreconditionFailed, StepUpRequired, Throttled
from nightlatch.domain.factors.base import FactorKind
from tests.support.ports import OPERATOR, Phone, World

T = TypeVar("T")
CROWD = 50


async def crowd(one: Sequence[Awaitable[T]], *reasons: type[Exception]) -> list[T]:
    """All at once: those that succeeded; the others failed for one of these reasons."""
    done = await asyncio.gather(*one, return_exceptions=True)
    failed = [result for result in done if isinstance(result, BaseException)]
    assert all(isinstance(result, reasons) for result in failed), failed
    return [result for result in done if not isinstance(result, BaseException)]


@pytest.fixture
async def bank(each_world: World) -> Caller:
    """An application with a user, Maya."""
    caller = await each_world.application()
    await each_world.person(caller)
    return caller


async def verified(world: World, caller: Caller, code: str) -> VerificationAnswer:
    """How a sign-in with this code ends."""
    begun = await authenticate(world.ports, caller, NewAuthentication(user="maya", context=ContextIn(ip="192.0.2.1")))
    return await answer(world.ports, caller, begun.id, NewVerification(code=code))


@pytest.mark.requirement("T4", "H3")
async def test_one_of_fifty_activations(each_world: World, bank: Caller) -> None:
    """And there is one set of backup codes."""
    phone = await each_world.begun(bank, "maya")
    code = Activation(code=phone.code())
    attempts = [activate_factor(each_world.ports, bank, "maya", phone.factor_id, code) for _ in range(CROWD)]
    assert len(await crowd(attempts, Conflict, Throttled)) == 1
    kinds = [factor.kind for factor in (await list_factors(each_world.ports, bank, "maya")).data]
    assert kinds == [FactorKind.TOTP, FactorKind.BACKUP_CODES]
    assert len(await each_world.events("factor:activated")) == 1


@pytest.mark.requirement("T4", "H3")
async def test_one_of_fifty_uses_of_a_totp_code(each_world: World, bank: Caller) -> None:
    """Each in a sign-in of its own."""
    phone, _ = await each_world.activated(bank, "maya")
    done = await crowd([verified(each_world, bank, phone.code()) for _ in range(CROWD)], Throttled)
    assert sum(one.status == "approved" for one in done) == 1
    assert len(await each_world.events("authentication:approved")) == 1


@pytest.mark.requirement("L3", "H3")
async def test_one_of_fifty_uses_of_a_backup_code(each_world: World, bank: Caller) -> None:
    """Each in a sign-in of its own."""
    _, first = await each_world.activated(bank, "maya")
    assert first.backup_codes is not None
    code = first.backup_codes[0]
    done = await crowd([verified(each_world, bank, code) for _ in range(CROWD)], Throttled)
    assert sum(one.status == "approved" for one in done) == 1


@pytest.mark.requirement("H3", "H1")
async def test_wrong_activations_at_once_count_as_many_as_were_judged(each_world: World, bank: Caller) -> None:
    """Five; the others were not judged."""
    phone = await each_world.begun(bank, "maya")
    wrong = Activation(code=phone.wrong())
    attempts = [activate_factor(each_world.ports, bank, "maya", phone.factor_id, wrong) for _ in range(CROWD)]
    assert await crowd(attempts, Exception) == []
    judged = [event for event in await each_world.events("factor:activation_failed") if event.reason == "wrong_code"]
    state = (await each_world.ports.store.load(user_key("maya"))).states[phone.factor_id]
    assert state.failures_other == len(judged) <= 5


@pytest.mark.requirement("B1", "E4")
async def test_one_of_fifty_uses_of_an_approval(each_world: World, bank: Caller) -> None:
    """The others need their own."""
    phone, _ = await each_world.activated(bank, "maya")
    approval = await each_world.approval(bank, "maya", phone.code())
    attempts = [each_world.begun(bank, "maya", approval=approval) for _ in range(CROWD)]
    (begun,) = await crowd(attempts, StepUpRequired, Throttled)
    assert isinstance(begun, Phone)


async def test_one_of_fifty_takers_of_a_name(each_world: World) -> None:
    """However it is spelt."""
    attempts = [
        create_user(each_world.ports, OPERATOR, NewUser(username=("Noor", "noor", "NOOR")[n % 3])) for n in range(CROWD)
    ]
    (noor,) = await crowd(attempts, Conflict)
    assert noor.username == "noor"
    assert len(await each_world.events("user:created")) == 1


async def test_one_of_fifty_authors_of_a_policy(each_world: World) -> None:
    """The others read another version."""
    document = "mfa_enforcement: {all_users: true}\n"
    attempts = [apply_policy(each_world.ports, OPERATOR, document, 0) for _ in range(CROWD)]
    (applied,) = await crowd(attempts, PreconditionFailed)
    assert [version.version for version in (await list_policy_versions(each_world.ports, OPERATOR)).data] == [1]
    assert applied.version == 1
