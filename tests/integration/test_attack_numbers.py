"""Whoever sets a number up on a page has what the API gives: the application's cap, and a wait between two texts (S11)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from nightlatch.adapters.delivery.texting import PlainTexting
from nightlatch.app.authenticate import authenticate
from nightlatch.app.context import Caller
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.factors.sms import send_again
from nightlatch.app.messages import NewAuthentication, NewFactor
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.prompt.number import begin_prompt_number, prompt_number_again, view_prompt_number
from nightlatch.app.prompt.session import Visit
from nightlatch.app.prompt.stop import stop_setup
from nightlatch.domain.errors import Conflict, TextsPaused, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.texting import SendRequest
from tests.support.ports import OPERATOR, World
from tests.support.push_app import BACK, CONTEXT, returning, visiting

TEXTS_FIRST = """\
mfa_enforcement: {all_users: true, grace_period: 0s}
factors: {allowed: [totp, sms, backup_codes], sms: {only_with_alternative: false}}
"""
NUMBER, OTHER = "+4915112345678", "+4915112345679"
SOMEBODY, NOBODY = "maya", "nobody1"


@dataclass
class Asked:
    """Gateways without end, and what they were asked for."""

    requests: list[SendRequest] = field(default_factory=list)
    paused: bool = False
    voip_numbers: bool = False

    async def permit(self, request: SendRequest, /) -> None:
        self.requests.append(request)
        if self.paused:
            raise TextsPaused(retry_after=60)
        await PlainTexting(gateways=True).permit(request)


@dataclass
class Place:
    """A bank, and its hosted prompt."""

    world: World
    bank: Caller
    asked: Asked

    async def visit(self, who: str) -> Visit:
        new = NewAuthentication(user=who, context=CONTEXT, return_url=BACK, state="s")
        return await visiting(self.world, await authenticate(self.world.ports, self.bank, new))

    async def begin(self, visit: Visit, number: str = NUMBER) -> None:
        await begin_prompt_number(self.world.ports, visit, number)


@pytest.fixture
async def place(world: World) -> Place:
    await apply_policy(world.ports, OPERATOR, TEXTS_FIRST, 0)
    asked = Asked()
    world.ports = replace(world.ports, texting=asked)
    bank = await returning(world)
    await world.person(bank, SOMEBODY)
    return Place(world, bank, asked)


@pytest.mark.requirement("S11", "H6")
@pytest.mark.parametrize("who", [SOMEBODY, NOBODY])
async def test_the_prompt_counts_against_the_application(place: Place, who: str) -> None:
    """Each text, for somebody as for nobody."""
    visit = await place.visit(who)
    await place.begin(visit)
    place.world.clock.advance(30 * SECOND)
    await prompt_number_again(place.world.ports, visit)
    assert place.bank.application is not None
    assert [request.application_id for request in place.asked.requests] == [place.bank.application.id] * 2


@pytest.mark.requirement("S11", "H6")
@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("who", [SOMEBODY, NOBODY])
async def test_a_number_waits_however_it_is_begun(place: Place, who: str, dropped: bool) -> None:
    """Anew, after it was dropped, and in another sign-in; the waits grow, and the sixth text is none."""
    visit = await place.visit(who)
    for wait in (30, 60, 120, 240):
        await place.begin(visit)
        place.world.clock.advance((wait - 1) * SECOND)
        if dropped:
            await stop_setup(place.world.ports, visit)
        with pytest.raises(Throttled):
            await place.begin(visit)
        with pytest.raises(Throttled):
            await place.begin(await place.visit(who))
        place.world.clock.advance(SECOND)
    await place.begin(visit)
    with pytest.raises(Conflict) as refusal:
        await place.begin(visit)
    assert refusal.value.code == "too_many_texts"
    with pytest.raises(Conflict):
        await prompt_number_again(place.world.ports, visit)
    assert len(place.asked.requests) == 5


@pytest.mark.requirement("S11", "H6")
@pytest.mark.parametrize("who", [SOMEBODY, NOBODY])
async def test_another_number_need_not_wait(place: Place, who: str) -> None:
    """Whoever mistyped theirs; and what was not sent is not waited for."""
    visit = await place.visit(who)
    place.asked.paused = True
    with pytest.raises(TextsPaused):
        await place.begin(visit)
    place.asked.paused = False
    await place.begin(visit)
    await place.begin(visit, OTHER)
    shown = await view_prompt_number(place.world.ports, visit)
    assert shown is not None
    assert shown[1] is not None
    assert shown[1].resend_at == place.world.clock.now() + 30 * SECOND
    place.world.clock.advance(11 * MINUTE)
    await place.begin(await place.visit(who))


@pytest.mark.requirement("S11")
async def test_the_api_waits_as_well(place: Place) -> None:
    """Whatever an application begins, and the text after that one."""
    new = NewFactor(kind=FactorKind.SMS, phone=NUMBER)
    await enroll_factor(place.world.ports, place.bank, SOMEBODY, new)
    with pytest.raises(Throttled):
        await enroll_factor(place.world.ports, place.bank, SOMEBODY, new)
    place.world.clock.advance(30 * SECOND)
    again = await enroll_factor(place.world.ports, place.bank, SOMEBODY, new)
    assert again.enrollment.resend_after == 60
    with pytest.raises(Throttled):
        await send_again(place.world.ports, place.bank, SOMEBODY, again.id)
    place.world.clock.advance(60 * SECOND)
    assert (await send_again(place.world.ports, place.bank, SOMEBODY, again.id)).resend_after == 120
