"""Push as use cases of the pages: in the hosted prompt, and on the person's own page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from nightlatch.app.authenticate import authenticate
from nightlatch.app.messages import NewAuthentication, ResultRequest
from nightlatch.app.portal import push as portal
from nightlatch.app.portal.changes import begin_phone, stop_app, turn_on
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.portal.session import SignedOut, enter, redeem_link
from nightlatch.app.prompt import push as prompt
from nightlatch.app.prompt.leave import leave_prompt
from nightlatch.app.prompt.setup import begin_setup, codes_saved, finish_setup
from nightlatch.app.prompt.view import Stage, view_codes, view_prompt
from nightlatch.app.push.messages import NewPairing
from nightlatch.app.push.pair import pair
from nightlatch.app.read_authentication import read_authentication
from nightlatch.app.result import redeem_result
from nightlatch.domain.errors import Conflict, Invalid
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import FactorStatus
from nightlatch.domain.time import SECOND
from nightlatch.ports.store import UserKey
from tests.support.phones import PushPhone
from tests.support.ports import SITE, World
from tests.support.push_app import BACK, CONTEXT, Held, hold, hosted, paired, returning, visiting


@pytest.fixture
async def maya(each_world: World) -> Held:
    """On each kind of database."""
    return await hold(each_world)


async def test_the_prompt_shows_the_number_and_how_it_stands(maya: Held) -> None:
    """Then the application fetches the result, as ever."""
    ports = maya.world.ports
    maya.bank = await returning(maya.world)
    visit = await hosted(maya)
    assert await prompt.view_push(ports, visit) is None
    await prompt.start_push(ports, visit, factor_id=maya.phone.factor, remember=True)
    shown = await prompt.view_push(ports, visit)
    assert shown is not None
    assert shown.state == "waiting"
    assert (
        await maya.answer(await maya.challenge(), "approve", f"{(int(shown.number or 0) + 1) % 10**6:06d}")
        == "wrong_number"
    )
    assert (await prompt.view_push(ports, visit) or shown).state == "wrong_number"
    await prompt.start_push(ports, visit, factor_id=maya.phone.factor, remember=True)
    shown = await prompt.view_push(ports, visit)
    assert shown is not None
    assert await maya.answer(await maya.challenge(), "approve", shown.number) == "approved"
    assert (await prompt.view_push(ports, visit) or shown).state == "approved"
    assert (await view_prompt(ports, visit)).stage is Stage.LEAVE
    told = await read_authentication(ports, maya.bank, visit.authentication_id)
    assert (told.status.value, told.assertion, told.device_token) == ("approved", None, None)
    code = parse_qs(urlsplit(await leave_prompt(ports, visit)).query)["code"][0]
    result = await redeem_result(ports, maya.bank, visit.authentication_id, ResultRequest(code=code))
    assert result.assertion
    assert result.device_token


async def test_the_prompt_says_that_it_is_over(maya: Held) -> None:
    """After two minutes, and when another sign-in was asked instead."""
    ports = maya.world.ports
    maya.bank = await returning(maya.world)
    visit = await hosted(maya)
    await prompt.start_push(ports, visit, factor_id=maya.phone.factor, remember=False)
    maya.world.clock.advance(120 * SECOND)
    shown = await prompt.view_push(ports, visit)
    assert shown is not None
    assert (shown.state, shown.number) == ("expired", None)
    with pytest.raises(Invalid):
        await prompt.start_push(ports, visit, factor_id="fac_" + "0" * 32, remember=False)


@pytest.mark.requirement("H6", "B2")
@pytest.mark.parametrize("known", [True, False])
async def test_a_phone_is_paired_in_the_prompt_by_somebody_and_by_nobody(each_world: World, known: bool) -> None:
    """Nobody's is never answered, and looks the same."""
    ports, shop = each_world.ports, await returning(each_world)
    if known:
        await each_world.person(shop)
    new = NewAuthentication(user="maya", context=CONTEXT, return_url=BACK, state="state")
    visit = await visiting(each_world, await authenticate(ports, shop, new))
    assert await prompt.view_pairing(ports, visit) is None
    if not known and (await view_prompt(ports, visit)).stage is Stage.REFUSED:
        return
    await begin_setup(ports, visit, FactorKind.PUSH)
    shown = await prompt.view_pairing(ports, visit)
    assert shown is not None
    assert shown.enrollment is not None
    assert (shown.state, len(shown.enrollment.code or ""), len(shown.number or "")) == ("waiting", 24, 6)
    with pytest.raises(Conflict, match="pairing_unfinished"):
        await finish_setup(ports, visit, None)
    if not known:
        phone = PushPhone(SITE.public_url, each_world.clock)
        with pytest.raises(Invalid):
            await pair(ports, msgspec.convert(phone.pairing(shown.enrollment.code or ""), NewPairing))
        return
    await paired(each_world, shown.enrollment)
    assert (await prompt.view_pairing(ports, visit) or shown).state == "answered"
    assert (await finish_setup(ports, visit, None)).rejection is None
    assert len(await view_codes(ports, visit)) == 10
    await codes_saved(ports, visit)
    kept = (await ports.store.load(UserKey(authentication=visit.authentication_id))).authentication
    assert kept is not None
    assert (kept.status.value, kept.amr) == ("approved", ("mfa", "pwd", "swk"))


async def own_page(maya: Held) -> str:
    """A session on Maya's own page."""
    link = await new_portal_link(maya.world.ports, maya.bank, "maya")
    ticket = parse_qs(urlsplit(link.url).query)["ticket"][0]
    return await redeem_link(maya.world.ports, ticket, CONTEXT.ip)


@pytest.mark.requirement("E2", "E4")
async def test_a_phone_proves_on_the_person_s_own_page(maya: Held) -> None:
    """Once, for the session that asked; then another phone can be paired there."""
    ports = maya.world.ports
    session, other = await own_page(maya), await own_page(maya)
    assert await portal.view_push(ports, session) is None
    await portal.start_push(ports, session, factor_id=maya.phone.factor)
    shown = await portal.view_push(ports, session)
    assert shown is not None
    challenge = await maya.challenge()
    assert (challenge["action"], challenge["place"]) == ("portal", None)
    with pytest.raises(Conflict, match="not_approved"):
        await portal.finish_push(ports, session, peer=CONTEXT.ip)
    assert await maya.answer(challenge, "approve", shown.number) == "approved"
    with pytest.raises(Conflict, match="not_approved"):
        await portal.finish_push(ports, other, peer=CONTEXT.ip)
    proof = await portal.finish_push(ports, session, peer=CONTEXT.ip)
    with pytest.raises(SignedOut):
        await portal.finish_push(ports, session, peer=CONTEXT.ip)
    await begin_phone(ports, proof.session)
    pairing = portal.view_pairing(ports, await enter(ports, proof.session))
    assert pairing is not None
    second = await paired(maya.world, pairing.enrollment)
    assert (await turn_on(ports, proof.session, None, "")).session
    maya.phone = second
    assert (await maya.factor()).status is FactorStatus.ACTIVE


@pytest.mark.requirement("P5")
async def test_a_no_on_the_person_s_own_page_counts_as_any(maya: Held) -> None:
    """Whoever opened the link is a stranger."""
    ports = maya.world.ports
    session = await own_page(maya)
    for _ in range(2):
        await portal.start_push(ports, session, factor_id=maya.phone.factor)
        assert await maya.answer(await maya.challenge(), "deny") == "denied"
        with pytest.raises(Conflict, match="not_approved"):
            await portal.finish_push(ports, session, peer=CONTEXT.ip)
    with pytest.raises(Conflict, match="push_locked"):
        await portal.start_push(ports, session, factor_id=maya.phone.factor)
    assert [event.reason for event in await maya.world.events("portal:answer_refused")] == ["denied_on_phone"] * 2


async def test_what_was_begun_on_the_person_s_own_page_can_be_dropped(maya: Held) -> None:
    """The code is of no use then."""
    ports = maya.world.ports
    session = await own_page(maya)
    await portal.start_push(ports, session, factor_id=maya.phone.factor)
    shown = await portal.view_push(ports, session)
    assert shown is not None
    await maya.answer(await maya.challenge(), "approve", shown.number)
    proved = (await portal.finish_push(ports, session, peer=CONTEXT.ip)).session
    await begin_phone(ports, proved)
    pairing = portal.view_pairing(ports, await enter(ports, proved))
    await stop_app(ports, proved)
    assert pairing is not None
    assert pairing.enrollment is not None
    body = PushPhone(SITE.public_url, maya.world.clock).pairing(pairing.enrollment.code or "")
    with pytest.raises(Invalid):
        await pair(ports, msgspec.convert(body, NewPairing))
