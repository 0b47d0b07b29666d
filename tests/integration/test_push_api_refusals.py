"""A phone over the API that says no, and whoever has the password and rings it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from nightlatch.domain.time import SECOND
from tests.support.api import CONTEXT, Api, open_api
from tests.support.ports import World
from tests.support.push_api import Held, held


@pytest.fixture
async def api(each_world: World) -> AsyncIterator[Api]:
    """The API on each kind of database."""
    async with open_api(each_world) as opened:
        yield opened


@pytest.fixture
async def maya(api: Api) -> Held:
    """Maya, with her phone."""
    return await held(api)


@pytest.mark.requirement("P5")
async def test_a_no_ends_the_sign_in_and_the_second_locks_until_another_factor_is_proved(maya: Held) -> None:
    """Whoever has the password rings twice, and no more."""
    for locked in (False, True):
        path = await maya.begin()
        challenge, _ = await maya.asked(path)
        assert await maya.answer(challenge, "deny") == "denied"
        told = (await maya.bank("GET", path)).json()
        assert (told["status"], told["reason"]) == ("rejected", "denied_on_phone")
        assert bool(await maya.api.world.events("push:locked")) is locked
    path = await maya.begin()
    refused = await maya.ask(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "push_locked")
    proved = await maya.bank("POST", f"{path}/verifications", {"code": maya.backup_codes[0]})
    assert proved.json()["status"] == "approved", proved.text
    challenge, number = await maya.asked(await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"


@pytest.mark.requirement("P5")
async def test_a_second_no_after_ten_minutes_is_a_first_one(maya: Held) -> None:
    """And one to a device that is known counts for nothing."""
    for _ in range(2):
        challenge, _ = await maya.asked(await maya.begin())
        assert await maya.answer(challenge, "deny") == "denied"
        maya.api.world.clock.advance(600 * SECOND)
    challenge, number = await maya.asked(path := await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"
    token = (await maya.bank("GET", path)).json()["device_token"]
    for _ in range(2):
        challenge, _ = await maya.asked(await maya.begin(context=CONTEXT | {"device_token": token}))
        assert await maya.answer(challenge, "deny") == "denied"
    assert (await maya.ask(await maya.begin())).status_code == 201


@pytest.mark.requirement("P5")
async def test_not_me_locks_at_once_and_forgets_every_device(maya: Held) -> None:
    """Also for the devices that were known, which may be a thief's."""
    challenge, number = await maya.asked(path := await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"
    token = (await maya.bank("GET", path)).json()["device_token"]
    challenge, _ = await maya.asked(path := await maya.begin())
    assert await maya.answer(challenge, "not_me") == "not_me"
    told = (await maya.bank("GET", path)).json()
    assert (told["status"], told["reason"]) == ("rejected", "not_me")
    assert [event.reason for event in await maya.api.world.events("push:locked")] == ["not_me"]
    assert [event.reason for event in await maya.api.world.events("device:revoked")] == ["not_me"]
    for context in (CONTEXT, CONTEXT | {"device_token": token}):
        assert (await maya.ask(await maya.begin(context=context))).json()["code"] == "push_locked"
    assert (await maya.phone.call(maya.api.http, "GET", "/v1/push/factor")).json()["locked"] == "not_me"


@pytest.mark.requirement("P5")
async def test_a_thief_with_the_password_rings_three_times_in_ten_minutes(maya: Held) -> None:
    """Thirty sign-ins in a minute, each that was let through being waited out; the owner's own device is never stopped."""
    challenge, number = await maya.asked(path := await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"
    token = (await maya.bank("GET", path)).json()["device_token"]
    rung = 0
    for _ in range(30):
        asked = await maya.ask(await maya.begin())
        rung += asked.status_code == 201
        if asked.status_code != 201:
            assert (asked.status_code, asked.json()["code"]) == (429, "throttled")
            assert asked.json()["retry_after"] > 0
        maya.api.world.clock.advance(2 * SECOND)
    assert rung == 1, "one waits, and nobody else's takes its place"
    for _ in range(4):
        maya.api.world.clock.advance(121 * SECOND)
        rung += (await maya.ask(await maya.begin())).status_code == 201
    assert rung == 3
    assert await maya.api.world.events("push:not_asked")
    own = await maya.begin(context=CONTEXT | {"device_token": token})
    challenge, number = await maya.asked(own)
    assert await maya.answer(challenge, "approve", number) == "approved"


@pytest.mark.requirement("P5")
async def test_the_owner_s_request_takes_the_place_of_a_stranger_s(maya: Held) -> None:
    """And no stranger's takes the place of the owner's."""
    challenge, number = await maya.asked(path := await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"
    token = (await maya.bank("GET", path)).json()["device_token"]
    stranger, their_number = await maya.asked(await maya.begin())
    own, own_number = await maya.asked(await maya.begin(context=CONTEXT | {"device_token": token}))
    assert (await maya.ask(await maya.begin())).status_code == 429
    assert await maya.answer(stranger, "approve", their_number) == "expired"
    assert await maya.answer(own, "approve", own_number) == "approved"
