"""Somebody who has the password, and a browser far from its owner's, wants the first second factor to be theirs."""

from __future__ import annotations

import pytest

from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.factors.find import list_factors
from nightlatch.app.factors.remove import remove_factor
from nightlatch.app.messages import NewFactor
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.read_authentication import read_authentication
from nightlatch.domain.errors import StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from tests.support.browsing import Pages, Visitor, open_pages, pages_with_maya
from tests.support.ports import OPERATOR, World

ELSEWHERE = "198.51.100.9"
NO_GRACE = "mfa_enforcement: {all_users: true}\n"
CONFIRMED = NO_GRACE + "first_factor: {confirm: verified_address}\n"


@pytest.fixture
async def pages(world: World) -> Pages:
    """Pages, a bank, and Maya."""
    opened = await open_pages(world)
    await world.person(opened.bank.caller)
    return opened


async def set_up_from(pages: Pages, visitor: Visitor, user: str) -> str:
    """What somebody sees who presses *Set up*."""
    attempt = await pages.bank.send(user)
    assert attempt.prompt_url is not None
    await visitor.get(attempt.prompt_url)
    await visitor.submit("/setup")
    return f"{visitor.page.status_code} {visitor.text}"


@pytest.mark.requirement("G3")
@pytest.mark.parametrize("policy", [None, NO_GRACE])
async def test_no_first_factor_from_elsewhere_without_a_confirmation(pages: Pages, policy: str | None) -> None:
    """The prompt's own peer is not where the bank says that Maya is."""
    if policy is not None:
        await apply_policy(pages.world.ports, OPERATOR, policy, None)
    async with pages.browser(ELSEWHERE) as elsewhere:
        assert "409 Meridian Somebody must confirm first" in await set_up_from(pages, elsewhere, "maya")
    assert not (await list_factors(pages.world.ports, pages.bank.caller, "maya")).data
    async with pages.browser() as home:
        assert "Scan this picture" in await set_up_from(pages, home, "maya")


@pytest.mark.requirement("H6")
@pytest.mark.parametrize(("policy", "peer"), [(NO_GRACE, ELSEWHERE), (CONFIRMED, "192.0.2.7")])
async def test_nobody_is_asked_for_the_same_confirmation(pages: Pages, policy: str, peer: str) -> None:
    """What a browser is refused must not tell whether there is such a user."""
    await pages.world.had_policy(policy)
    seen = []
    for user in ("maya", "nobody"):
        async with pages.browser(peer) as visitor:
            seen.append(await set_up_from(pages, visitor, user))
    assert seen[0] == seen[1]


@pytest.mark.requirement("G3")
async def test_a_policy_that_wants_a_confirmation_wants_it_of_what_was_begun_before(pages: Pages) -> None:
    """Ten minutes are long enough to begin, and to finish after the operator asked for more."""
    async with pages.browser() as visitor:
        await set_up_from(pages, visitor, "maya")
        phone = visitor.scanned(pages.world)
        await pages.world.had_policy(CONFIRMED)
        await visitor.submit("/setup/code", code=phone.code())
    factors = await list_factors(pages.world.ports, pages.bank.caller, "maya")
    assert [factor.status.value for factor in factors.data] == ["pending"]


@pytest.mark.requirement("B1", "E4", "X5")
async def test_an_approval_in_somebody_elses_browser_is_worth_nothing_before_it_comes_back(each_world: World) -> None:
    """Who has Maya's password wants a factor of their own, and sends her the address of the prompt that is to approve it.

    She does; but it is her browser that goes back to the bank, with a code and a state that belong to no session of hers,
    so that the bank does not fetch the result. Where it was the bank's own session, it does, and may go on.
    """
    pages = await pages_with_maya(each_world)
    bank, ports = pages.bank, each_world.ports
    phone, _ = await each_world.activated(bank.caller, "maya")
    attempt = await bank.send(action="manage_factors")
    assert attempt.prompt_url is not None
    async with pages.browser() as maya:
        await maya.get(attempt.prompt_url)
        await maya.submit("/code", code=phone.code())
        assert (await read_authentication(ports, bank.caller, attempt.id)).status == "approved"
        for wanted in (
            enroll_factor(ports, bank.caller, "maya", NewFactor(kind=FactorKind.TOTP, approval=attempt.id)),
            remove_factor(ports, OPERATOR, "maya", phone.factor_id, attempt.id),
        ):
            with pytest.raises(StepUpRequired):
                await wanted
        assert (await bank.result(maya.left_with)).status == "approved"
    await each_world.begun(bank.caller, "maya", approval=attempt.id)
    with pytest.raises(StepUpRequired):
        await each_world.begun(bank.caller, "maya", approval=attempt.id)
