"""A phone over the API: paired, asked, answered; what it approves is what was asked, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from nightlatch.domain.time import SECOND
from nightlatch.ports.store import UserKey
from nightlatch_client.assertions import Expected, check
from tests.support.api import CONTEXT, Api, open_api
from tests.support.phones import PushPhone
from tests.support.ports import SITE, World
from tests.support.push_api import Held, enrolled, held


@pytest.fixture
async def api(each_world: World) -> AsyncIterator[Api]:
    """The API on each kind of database."""
    async with open_api(each_world) as opened:
        yield opened


@pytest.fixture
async def maya(api: Api) -> Held:
    """Maya, with her phone."""
    return await held(api)


def wrong(number: str) -> str:
    """Another number."""
    return f"{(int(number) + 1) % 10**6:06d}"


@pytest.mark.requirement("B2", "P3")
async def test_a_phone_is_paired_by_code_and_number(api: Api) -> None:
    """The enrolling side shows both, and hears of it; the backup codes come to it, and not to the phone."""
    bank = await api.application()
    user = await api.person(bank)
    begun = await enrolled(api, bank, user, label="Mine")
    shown = begun["enrollment"]
    assert shown["uri"] == f"{SITE.public_url}/authenticator#{shown['code']}"
    assert set(shown) == {"uri", "code", "number", "qr_svg", "qr_png"}
    assert (len(shown["code"]), len(shown["number"]), begun["pairing"]) == (24, 6, "waiting")
    factor = f"/v1/users/{user}/factors/{begun['id']}"
    early = await bank("POST", f"{factor}/activation", {})
    assert (early.status_code, early.json()["code"]) == (409, "pairing_unfinished")

    phone = PushPhone(SITE.public_url, api.world.clock)
    typed = " ".join(shown["code"].lower()[at : at + 4] for at in range(0, 24, 4))
    body = phone.pairing(shown["code"], name="Pixel 8") | {"code": typed}
    paired = (await api.http.post("/v1/push/pairings", json=body)).json()
    challenge = phone.paired(paired)
    assert paired["user"] == {"id": user, "name": "maya"}
    assert challenge["action"] == "pair"
    assert (await bank("GET", factor)).json()["pairing"] == "scanned"
    listed = await phone.waiting(api.http)
    assert [one["id"] for one in listed] == [challenge["id"]]
    early = await bank("POST", f"{factor}/activation", {})
    assert (early.status_code, early.json()["code"]) == (409, "pairing_unfinished")

    answered = await phone.answer(api.http, challenge, "approve", shown["number"])
    assert answered.json() == {"status": "approved"}
    assert (await bank("GET", factor)).json()["status"] == "pending"
    active = (await bank("POST", f"{factor}/activation", {})).json()
    assert (active["status"], active["pairing"], active["label"], len(active["backup_codes"])) == (
        "active", None, "Mine", 10,
    )  # fmt: skip
    seen = (await phone.call(api.http, "GET", "/v1/push/factor")).json()
    assert (seen["status"], seen["name"], seen["user"]["name"]) == ("active", "Pixel 8", "maya")
    kept = (await api.world.ports.store.load(UserKey(factor=phone.factor))).factors
    (public,) = (one.public for one in kept if one.id == phone.factor)
    assert set(public["jwk"]) == {"kty", "crv", "x", "y"}


@pytest.mark.requirement("B2")
async def test_a_pairing_code_works_once_and_for_ten_minutes(api: Api) -> None:
    """Used, too old, and never made are one answer."""
    bank = await api.application()
    user = await api.person(bank)
    used = (await enrolled(api, bank, user))["enrollment"]
    old = (await enrolled(api, bank, user))["enrollment"]
    phone = PushPhone(SITE.public_url, api.world.clock)
    assert (await api.http.post("/v1/push/pairings", json=phone.pairing(used["code"]))).status_code == 201
    thief = PushPhone(SITE.public_url, api.world.clock)
    again = await api.http.post("/v1/push/pairings", json=thief.pairing(used["code"]))
    api.world.clock.advance(600 * SECOND)
    late = await api.http.post("/v1/push/pairings", json=thief.pairing(old["code"]))
    never = await api.http.post("/v1/push/pairings", json=thief.pairing("0" * 24))
    for refused in (again, late, never):
        assert refused.status_code == 422
        assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [("/code", "invalid_code")]
    assert again.json()["detail"] == late.json()["detail"] == never.json()["detail"]


@pytest.mark.requirement("B2", "P2")
@pytest.mark.parametrize(("decision", "said"), [("approve", "wrong_number"), ("deny", "denied"), ("not_me", "not_me")])
async def test_a_pairing_has_one_try(api: Api, decision: str, said: str) -> None:
    """A wrong number, or a no, and it must be begun anew."""
    bank = await api.application()
    user = await api.person(bank)
    begun = await enrolled(api, bank, user)
    phone = PushPhone(SITE.public_url, api.world.clock)
    paired = await api.http.post("/v1/push/pairings", json=phone.pairing(begun["enrollment"]["code"]))
    challenge, number = phone.paired(paired.json()), begun["enrollment"]["number"]
    first = await phone.answer(api.http, challenge, decision, wrong(number) if decision == "approve" else None)
    assert first.json() == {"status": said}
    assert (await phone.answer(api.http, challenge, "approve", number)).json() == {"status": "expired"}
    failed = await bank("POST", f"/v1/users/{user}/factors/{begun['id']}/activation", {})
    assert (failed.status_code, failed.json()["code"]) == (409, "pairing_failed")
    assert [event.reason for event in await api.world.events("push:pairing_failed")] == [said]


async def test_a_pairing_is_answered_within_two_minutes(api: Api) -> None:
    """From the moment at which the phone took the code."""
    bank = await api.application()
    begun = await enrolled(api, bank, await api.person(bank))
    phone = PushPhone(SITE.public_url, api.world.clock)
    paired = await api.http.post("/v1/push/pairings", json=phone.pairing(begun["enrollment"]["code"]))
    challenge = phone.paired(paired.json())
    api.world.clock.advance(120 * SECOND)
    late = await phone.answer(api.http, challenge, "approve", begun["enrollment"]["number"])
    assert late.json() == {"status": "expired"}


@pytest.mark.requirement("P2", "P6")
async def test_an_approval_signs_in_at_the_bank_that_asked(maya: Held) -> None:
    """With the number; the assertion says possession and nothing about phishing; a device token comes once."""
    path = await maya.begin()
    challenge, number = await maya.asked(path)
    assert challenge["application"] == {"id": maya.bank.id, "name": "bank of maya"}
    assert (challenge["place"], challenge["user_agent"]) == ({"network": "192.0.2.0/24"}, "An unknown browser")
    assert await maya.answer(challenge, "approve", number) == "approved"
    told = (await maya.bank("GET", path)).json()
    assert (told["status"], bool(told["device_token"])) == ("approved", True)
    keys = (await maya.api.http.get("/.well-known/jwks.json")).json()
    expected = Expected(SITE.public_url, maya.bank.id, maya.user, path.rpartition("/")[2])
    said = check(told["assertion"], keys, expected, now=maya.phone.seconds)
    assert (said.acr, said.amr) == ("aal2", ("mfa", "pwd", "swk"))
    again = (await maya.bank("GET", path)).json()
    assert (again["status"], again["device_token"]) == ("approved", None)
    known = await maya.begin(context=CONTEXT | {"device_token": told["device_token"]})
    assert (await maya.ask(known)).status_code == 201


async def test_a_phone_that_verified_its_user_says_so(api: Api) -> None:
    """Only one that did when it was paired."""
    for username, verifies in (("maya", True), ("ravi", False)):
        person = await held(api, username)
        if verifies:
            person = await verifying(api, "uma")
        path = await person.begin()
        challenge, number = await person.asked(path)
        assert await person.answer(challenge, "approve", number, uv=True) == "approved"
        kept = (await api.world.ports.store.load(UserKey(authentication=path.rpartition("/")[2]))).authentication
        assert kept is not None
        assert kept.amr == (("mfa", "pwd", "swk", "user") if verifies else ("mfa", "pwd", "swk"))


async def test_without_a_password_the_phones_word_is_the_second_kind(api: Api) -> None:
    """Where a phone is asked at all: a sign-in that needs the level offers none, since not each has the lock."""
    uma = await verifying(api, "uma")
    for verifies, acr in ((True, "aal2"), (False, "aal1")):
        path = await uma.begin(first_factor="none", action="manage_factors")
        challenge, number = await uma.asked(path)
        assert await uma.answer(challenge, "approve", number, uv=verifies) == "approved"
        kept = (await api.world.ports.store.load(UserKey(authentication=path.rpartition("/")[2]))).authentication
        assert kept is not None
        assert kept.acr == acr
    body = {"user": uma.user, "context": CONTEXT, "first_factor": "none"}
    assert (await uma.bank("POST", "/v1/authentications", body)).json()["decision"] == "deny"


async def verifying(api: Api, username: str) -> Held:
    """A person whose phone verified them when it was paired."""
    bank = await api.application(name=f"bank of {username}")
    user = await api.person(bank, username)
    begun = await enrolled(api, bank, user)
    phone = PushPhone(SITE.public_url, api.world.clock)
    paired = await api.http.post("/v1/push/pairings", json=phone.pairing(begun["enrollment"]["code"]))
    challenge = phone.paired(paired.json())
    await phone.answer(api.http, challenge, "approve", begun["enrollment"]["number"], uv=True)
    await bank("POST", f"/v1/users/{user}/factors/{begun['id']}/activation", {})
    return Held(api, bank, user, phone, [])


@pytest.mark.requirement("P2")
async def test_a_wrong_number_ends_the_challenge_and_not_the_sign_in(maya: Held) -> None:
    """Another can be asked for; the right number of the first is of no use any more."""
    path = await maya.begin()
    challenge, number = await maya.asked(path)
    assert await maya.answer(challenge, "approve", wrong(number)) == "wrong_number"
    assert await maya.answer(challenge, "approve", number) == "expired"
    assert (await maya.bank("GET", path)).json()["status"] == "pending"
    challenge, number = await maya.asked(path)
    assert await maya.answer(challenge, "approve", number) == "approved"


@pytest.mark.requirement("P2")
async def test_a_challenge_is_over_after_two_minutes(maya: Held) -> None:
    """To the microsecond."""
    path = await maya.begin()
    challenge, number = await maya.asked(path)
    maya.api.world.clock.advance(120 * SECOND)
    assert await maya.answer(challenge, "approve", number) == "expired"
    assert await maya.phone.waiting(maya.api.http) == []
    challenge, number = await maya.asked(path)
    maya.api.world.clock.advance(120 * SECOND - 1)
    assert await maya.answer(challenge, "approve", number) == "approved"


@pytest.mark.requirement("P4")
async def test_only_the_sign_in_that_asked_is_approved(maya: Held) -> None:
    """A response for one names no other; two of one person stay apart."""
    first = await maya.begin()
    second = await maya.begin()
    challenge, number = await maya.asked(second)
    assert await maya.answer(challenge, "approve", number) == "approved"
    assert (await maya.bank("GET", first)).json()["status"] == "pending"
    assert (await maya.bank("GET", second)).json()["status"] == "approved"


@pytest.mark.requirement("P4")
async def test_what_is_approved_is_the_action_with_its_details(maya: Held) -> None:
    """The phone shows them, and signs their hash."""
    details = {"amount": "1250.00", "to": "DE02 1203 0000 0000 2020 51"}
    path = await maya.begin(action="transfer", action_details=details)
    challenge, number = await maya.asked(path)
    assert (challenge["action"], challenge["action_details"]) == ("transfer", details)
    other = await maya.phone.answer(maya.api.http, challenge, "approve", number, action_hash="A" * 43)
    assert other.status_code == 422
    assert await maya.answer(challenge, "approve", number) == "approved"
    assert [event.reason for event in await maya.api.world.events("push:response_refused")] == ["wrong_action_hash"]


@pytest.mark.requirement("P1")
async def test_no_code_answers_for_a_phone(maya: Held) -> None:
    """Not the number either; it is typed on the phone alone."""
    path = await maya.begin()
    _, number = await maya.asked(path)
    for code in (number, "123456", "x"):
        body = {"code": code, "factor": maya.phone.factor}
        answered = await maya.bank("POST", f"{path}/verifications", body)
        assert answered.json() == {"status": "rejected", "reason": "no_such_factor"}


@pytest.mark.requirement("P4", "K1")
async def test_a_key_that_was_put_into_the_database_answers_nothing(maya: Held) -> None:
    """Its row's MAC is not ours: neither the phone nor the sign-in goes on with it."""
    ports = maya.api.world.ports
    challenge, number = await maya.asked(path := await maya.begin())
    snapshot = await ports.store.load(UserKey(factor=maya.phone.factor))
    factor = next(one for one in snapshot.factors if one.id == maya.phone.factor)
    thief = PushPhone(SITE.public_url, maya.api.world.clock, factor=factor.id, user=maya.user)
    for public in (factor.public | {"jwk": thief.jwk}, factor.public | {"uv": True}, factor.public | {"mac": "AAAA"}):
        await put(ports, maya.user, factor, public)
        answered = await thief.answer(maya.api.http, challenge, "approve", number)
        assert (answered.status_code, answered.json()["code"]) == (401, "phone_not_paired")
        assert (await maya.phone.call(maya.api.http, "GET", "/v1/push/factor")).status_code == 401
        assert (await maya.ask(path)).status_code == 503
    await put(ports, maya.user, factor, factor.public)
    assert await maya.answer(challenge, "approve", number) == "approved"


async def put(ports: Any, user: str, factor: Any, public: dict[str, Any]) -> None:
    """Write a factor's row as somebody with the database could."""
    from msgspec.structs import replace

    from nightlatch.ports.store import Change

    version = (await ports.store.load(UserKey(user=user))).version
    await ports.store.commit(Change(root=user, expected=version, puts=(replace(factor, public=public),)))


async def test_a_removed_phone_answers_no_more(maya: Held) -> None:
    """R6: nor does it hear anything."""
    challenge, number = await maya.asked(path := await maya.begin())
    step_up = await maya.begin(action="manage_factors")
    proved = await maya.bank("POST", f"{step_up}/verifications", {"code": maya.backup_codes[0]})
    assert proved.json()["status"] == "approved", proved.text
    factor = f"/v1/users/{maya.user}/factors/{maya.phone.factor}"
    gone = await maya.bank("DELETE", f"{factor}?approval={step_up.rpartition('/')[2]}")
    assert gone.status_code == 204, gone.text
    answered = await maya.phone.answer(maya.api.http, challenge, "approve", number)
    assert answered.status_code == 401
    assert answered.headers["www-authenticate"].startswith("Push ")
    assert (await maya.phone.call(maya.api.http, "GET", "/v1/push/challenges")).status_code == 401
    assert (await maya.bank("GET", path)).json()["status"] == "pending"
