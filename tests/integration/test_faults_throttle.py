"""Guessing, as an attacker meets it over the API: five are free, then it waits, then it stops; the owner goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from nightlatch.app.users.reference import user_key
from nightlatch.domain.factors import hotp
from nightlatch.domain.factors.otpauth import parse
from nightlatch.domain.records import FactorState
from nightlatch.domain.time import DAY, HOUR, SECOND
from tests.support.api import CONTEXT, Api, ApiPhone, Application, open_api
from tests.support.ports import World


@dataclass
class Door:
    """Maya's account at a bank, with her phone and her backup codes; and whoever tries it."""

    api: Api
    bank: Application
    user: str
    phone: ApiPhone

    async def say(self, code: str, device: str | None = None, **fields: Any) -> dict[str, Any]:
        """One try from a device, or from none that is known."""
        context = CONTEXT | ({"device_token": device} if device else {})
        answer = await self.bank("POST", "/v1/verify", {"user": self.user, "code": code, "context": context} | fields)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def guess(self, device: str | None = None) -> dict[str, Any]:
        """A wrong code."""
        return await self.say(self.phone.wrong(), device)

    async def guess_until(self, failures: int, device: str | None = None) -> None:
        """Wrong codes, waiting an hour for each, until so many were counted in all."""
        while (await self.counted()).failures_known + (await self.counted()).failures_other < failures:
            self.pass_time(HOUR)
            assert (await self.guess(device))["reason"] == "wrong_code"

    async def sign_in(self, device: str | None = None) -> str:
        """The owner signs in by phone; the token of the device."""
        said = await self.say(self.phone.code(), device)
        assert said["status"] == "approved", said
        self.pass_time(30 * SECOND)
        return str(said["device_token"])

    async def counted(self) -> FactorState:
        """What is kept about the phone."""
        return (await self.api.world.ports.store.load(user_key(self.user))).states[self.phone.factor]

    def pass_time(self, duration: int) -> None:
        """Let it pass."""
        self.api.world.clock.advance(duration)


@pytest.fixture
async def door(each_world: World) -> AsyncIterator[Door]:
    async with open_api(each_world) as api:
        bank = await api.application()
        user = await api.person(bank)
        yield Door(api, bank, user, await api.phone(bank, user))


def throttled(said: dict[str, Any], seconds: int | None) -> bool:
    """Whether a try was not judged, and was told to wait so long."""
    return (said["status"], said["reason"], said.get("retry_after")) == ("rejected", "throttled", seconds)


@pytest.mark.requirement("H1", "H2")
async def test_five_are_free_and_waits_double_from_half_a_minute_to_an_hour(door: Door) -> None:
    """To the microsecond. What comes too early is not counted."""
    for _ in range(5):
        assert (await door.guess())["reason"] == "wrong_code"
    for wait in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        assert throttled(await door.guess(), wait)
        door.pass_time(wait * SECOND - 1)
        assert throttled(await door.guess(), 1)
        door.pass_time(1)
        assert (await door.guess())["reason"] == "wrong_code"
    assert (await door.counted()).failures_other == 14


@pytest.mark.requirement("H1", "T4")
async def test_a_throttled_code_is_neither_judged_nor_counted_nor_used(door: Door) -> None:
    """A press of a key fob that came too early works later; a sign-in does not end by it."""
    fob_user = await door.api.person(door.bank, "noor")
    made = (await door.bank("POST", f"/v1/users/{fob_user}/factors", {"kind": "hotp"})).json()
    scanned = parse(made["enrollment"]["uri"])
    codes = [hotp.code_at(scanned.secret, press) for press in range(30)]
    path = f"/v1/users/{fob_user}/factors/{made['id']}/activation"
    assert (await door.bank("POST", path, {"code": codes[0]})).status_code == 200
    wrong = next(code for code in (f"{n:06d}" for n in range(40)) if code not in codes)

    async def say(code: str) -> dict[str, Any]:
        body = {"user": fob_user, "code": code, "context": CONTEXT}
        said: dict[str, Any] = (await door.bank("POST", "/v1/verify", body)).json()
        return said

    for _ in range(5):
        assert (await say(wrong))["reason"] == "wrong_code"
    begun = (await door.bank("POST", "/v1/authentications", {"user": fob_user, "context": CONTEXT})).json()["id"]
    verifications = f"/v1/authentications/{begun}/verifications"
    for _ in range(6):
        assert throttled((await door.bank("POST", verifications, {"code": codes[1]})).json(), 30)
        assert throttled(await say(codes[1]), 30)
    door.pass_time(30 * SECOND)
    assert (await door.bank("POST", verifications, {"code": codes[1]})).json()["status"] == "approved"
    assert (await say(codes[1]))["reason"] == "wrong_code"


@pytest.mark.requirement("H5")
async def test_who_guesses_from_elsewhere_does_not_keep_the_owner_waiting(door: Door) -> None:
    """Nor the other way round: each lane has its own five."""
    device = await door.sign_in()
    for _ in range(5):
        assert (await door.guess())["reason"] == "wrong_code"
    assert throttled(await door.guess(), 30)
    for _ in range(5):
        assert (await door.guess(device))["reason"] == "wrong_code"
    assert throttled(await door.say(door.phone.code(), device), 30)
    door.pass_time(30 * SECOND)
    device = await door.sign_in(device)
    assert (await door.counted()).failures_known == (await door.counted()).failures_other == 0
    begun = {"user": door.user, "context": CONTEXT | {"device_token": device}}
    id_ = (await door.bank("POST", "/v1/authentications", begun)).json()["id"]
    for _ in range(5):
        assert (await door.guess())["reason"] == "wrong_code"
    said = await door.bank("POST", f"/v1/authentications/{id_}/verifications", {"code": door.phone.code()})
    assert said.json()["status"] == "approved"


@pytest.mark.requirement("H5")
async def test_only_a_device_that_proved_a_factor_here_is_known(door: Door) -> None:
    """Not a token that is made up, another person's, another application's, one that is revoked, or an old one."""
    device = await door.sign_in()
    newer = await door.sign_in(device)
    other = Door(door.api, door.bank, await door.api.person(door.bank, "mallory"), door.phone)
    other.phone = await door.api.phone(door.bank, other.user)
    shop = Door(door.api, await door.api.application(name="shop"), door.user, door.phone)
    strangers = ["Z" * 43, await other.sign_in(), await shop.sign_in(), device]
    door.pass_time(61 * SECOND)
    for _ in range(5):
        await door.guess()
    for token in strangers:
        assert throttled(await door.guess(token), 30), token
    # The old token after its time is theft: the device is known no longer.
    assert throttled(await door.guess(newer), 30)


@pytest.mark.requirement("H5")
async def test_a_device_that_was_revoked_is_not_known(door: Door) -> None:
    device = await door.sign_in()
    for _ in range(5):
        await door.guess()
    assert (await door.guess(device))["reason"] == "wrong_code"
    assert (await door.bank("DELETE", f"/v1/users/{door.user}/devices")).status_code == 204
    assert throttled(await door.guess(device), 30)


@pytest.mark.requirement("H1", "H3", "H5")
async def test_strangers_stop_at_eighty_and_the_last_twenty_are_the_owners(door: Door) -> None:
    """Then waiting no longer helps; proving another factor does."""
    device = await door.sign_in()
    await door.guess_until(80)
    door.pass_time(DAY)
    assert throttled(await door.guess(), None)
    assert throttled(await door.say(door.phone.code()), None)
    await door.guess_until(100, device)
    assert (await door.counted()).failures_known == 20
    door.pass_time(30 * DAY)
    for token in (None, device):
        assert throttled(await door.guess(token), None)
        assert throttled(await door.say(door.phone.code(), token), None)
    assert (await door.counted()).stopped
    said = await door.say(door.phone.backup_codes[0])
    assert said["status"] == "approved"
    assert (await door.say(door.phone.code()))["status"] == "approved"


@pytest.mark.requirement("H1", "H5")
async def test_the_owner_signs_in_after_eighty_guesses_of_strangers_at_everything(door: Door) -> None:
    """From the device that knows them, by either factor; and what strangers had stopped goes on for all."""
    device = await door.sign_in()
    wrong = door.phone.backup_codes[1][:-1] + ("0" if door.phone.backup_codes[1][-1] != "0" else "1")
    for _ in range(80):
        door.pass_time(HOUR)
        assert (await door.say(wrong))["reason"] == "wrong_code"
    await door.guess_until(80)
    door.pass_time(HOUR)
    assert throttled(await door.say(door.phone.code()), None)
    assert throttled(await door.say(door.phone.backup_codes[0]), None)
    assert (await door.say(door.phone.code(), device))["status"] == "approved"
    assert (await door.say(door.phone.backup_codes[0]))["status"] == "approved"


@pytest.mark.requirement("H4")
async def test_a_success_resets_the_factor_that_was_used_and_no_other(door: Door) -> None:
    """Backup codes that work give nobody five more guesses at the phone."""
    for _ in range(5):
        await door.guess()
    assert (await door.say(door.phone.backup_codes[0]))["status"] == "approved"
    assert (await door.counted()).failures_other == 5
    assert throttled(await door.guess(), 30)
    door.pass_time(30 * SECOND)
    await door.sign_in()
    assert (await door.counted()).failures_other == 0
    assert (await door.guess())["reason"] == "wrong_code"


@pytest.mark.requirement("H1", "H3")
async def test_sign_ins_of_their_own_give_no_more_guesses(door: Door) -> None:
    """Each ends after five wrong answers; the factor counts over all of them, and over the calls beside them."""
    for _ in range(2):
        await door.guess()
    ids = [
        (await door.bank("POST", "/v1/authentications", {"user": door.user, "context": CONTEXT})).json()["id"]
        for _ in range(4)
    ]
    said = []
    for id_ in ids:
        for _ in range(2):
            path = f"/v1/authentications/{id_}/verifications"
            said.append((await door.bank("POST", path, {"code": door.phone.wrong()})).json()["reason"])
    assert said == ["wrong_code"] * 3 + ["throttled"] * 5
    first = f"/v1/authentications/{ids[0]}"
    for wait in (30, 60, 120):
        door.pass_time(wait * SECOND)
        answered = await door.bank("POST", f"{first}/verifications", {"code": door.phone.wrong()})
        assert answered.json()["reason"] == "wrong_code"
    ended = (await door.bank("GET", first)).json()
    assert (ended["status"], ended["reason"]) == ("rejected", "too_many_wrong_answers")
    door.pass_time(240 * SECOND)
    late = await door.bank("POST", f"{first}/verifications", {"code": door.phone.code()})
    assert (late.status_code, late.json()["code"]) == (409, "already_rejected")
