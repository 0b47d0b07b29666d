"""The API as an integrator meets it: users, factors, sign-ins, results, policy, audit."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from nightlatch.domain.factors import hotp
from nightlatch.domain.factors.otpauth import parse
from nightlatch.domain.time import DAY, MINUTE, SECOND
from tests.support.api import CONTEXT, Api, Application, open_api
from tests.support.codes import shows
from tests.support.ports import World

YAML = "application/yaml"
ARTICLE = """
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  exclude_service_accounts: true
"""


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


@pytest.fixture
async def bank(api: Api) -> Application:
    return await api.application(return_urls=["https://bank.example/back"])


def claims(assertion: str) -> dict[str, Any]:
    """What a JWT says, unverified."""
    body = assertion.split(".")[1]
    said: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(body + "=="))
    return said


async def begun(bank: Application, **fields: Any) -> dict[str, Any]:
    response = await bank("POST", "/v1/authentications", {"user": "maya", "context": CONTEXT} | fields)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_user_is_created_found_changed_and_deleted(bank: Application) -> None:
    new = {"username": "Maya", "display_name": "Maya Lindt", "emails": ["maya@example.com"], "groups": ["staff"]}
    created = await bank("POST", "/v1/users", new)
    assert created.status_code == 201
    user = created.json()
    assert user["id"].startswith("usr_")
    assert user["emails"] == [{"value": "maya@example.com", "verified_at": None}]
    assert user["created_at"].endswith("Z")
    for ref in (user["id"], "maya", "MAYA"):
        assert (await bank("GET", f"/v1/users/{ref}")).json() == user
    changed = await bank("PATCH", "/v1/users/maya", {"display_name": None, "groups": ["staff", "admins"]})
    assert (changed.json()["display_name"], changed.json()["groups"]) == (None, ["staff", "admins"])
    assert (await bank("GET", "/v1/users?group=admins")).json()["data"][0]["id"] == user["id"]
    deleted = await bank("DELETE", "/v1/users/maya")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await bank("GET", "/v1/users/maya")).status_code == 404
    again = await bank("POST", "/v1/users", new)
    assert (again.status_code, again.json()["code"]) == (409, "username_taken")


async def test_lists_page_by_cursor(api: Api, bank: Application) -> None:
    names = [f"user{number}" for number in range(5)]
    for name in names:
        await api.person(bank, name)
        api.world.clock.advance(SECOND)
    seen, cursor = [], ""
    while True:
        page = (await bank("GET", f"/v1/users?limit=2{cursor}")).json()
        seen += [user["username"] for user in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == names


@pytest.mark.requirement("L4")
async def test_no_answer_after_enrolment_holds_a_secret(api: Api, bank: Application) -> None:
    user = await api.person(bank)
    made = (await bank("POST", f"/v1/users/{user}/factors", {"kind": "totp"})).json()
    secret = made["enrollment"]["secret"]
    assert made["status"] == "pending"
    assert made["enrollment"]["uri"].startswith("otpauth://totp/")
    assert made["enrollment"]["qr_png"].startswith("data:image/png;base64,")
    assert made["enrollment"]["qr_svg"].startswith("<svg")
    for path in (f"/v1/users/{user}", f"/v1/users/{user}/factors", f"/v1/users/{user}/factors/{made['id']}"):
        assert secret not in (await bank("GET", path)).text


async def test_the_first_activation_brings_ten_backup_codes(api: Api, bank: Application) -> None:
    user = await api.person(bank)
    phone = await api.phone(bank, user)
    assert len(set(phone.backup_codes)) == 10
    factors = (await bank("GET", f"/v1/users/{user}/factors")).json()["data"]
    assert {(factor["kind"], factor["status"]) for factor in factors} == {
        ("totp", "active"),
        ("backup_codes", "active"),
    }
    renamed = await bank("PATCH", f"/v1/users/{user}/factors/{phone.factor}", {"label": "Old phone"})
    assert renamed.json()["label"] == "Old phone"


async def test_sign_in_is_challenged_answered_and_asserted(api: Api, bank: Application) -> None:
    phone = await api.phone(bank, await api.person(bank))
    authentication = await begun(bank)
    assert (authentication["decision"], authentication["status"]) == ("challenge", "pending")
    assert authentication["assertion"] is None
    assert {factor["kind"] for factor in authentication["factors"]} == {"totp", "backup_codes"}
    path = f"/v1/authentications/{authentication['id']}"
    wrong = await bank("POST", f"{path}/verifications", {"code": phone.wrong()})
    assert (wrong.status_code, wrong.json()) == (200, {"status": "rejected", "reason": "wrong_code"})
    right = await bank("POST", f"{path}/verifications", {"code": phone.code(), "remember_device": True})
    approved = right.json()
    assert (right.status_code, approved["status"], approved["factor"]) == (200, "approved", phone.factor)
    said = claims(approved["assertion"])
    assert (said["aud"], said["txn"], said["acr"], said["action"]) == (bank.id, authentication["id"], "aal2", "login")
    assert "mfa" in said["amr"]
    assert (await bank("GET", path)).json()["status"] == "approved"
    assert (await bank("POST", f"{path}/verifications", {"code": phone.code()})).status_code == 409


async def test_one_call_decides_and_verifies(api: Api, bank: Application) -> None:
    phone = await api.phone(bank, await api.person(bank))
    call = {"user": "maya", "code": phone.code(), "context": CONTEXT}
    first = (await bank("POST", "/v1/verify", call)).json()
    assert (first["status"], first["decision"]) == ("approved", "challenge")
    assert claims(first["assertion"])["txn"] == first["id"]
    second = (await bank("POST", "/v1/verify", call)).json()
    assert (second["status"], second["reason"]) == ("rejected", "replayed")
    assert "assertion" not in second


@pytest.mark.requirement("H6")
async def test_an_unknown_user_gets_the_shape_of_a_known_one(api: Api, bank: Application) -> None:
    """Where nothing may be skipped, nothing tells them apart."""
    await api.person(bank)
    strict = {"mfa_enforcement": {"all_users": True, "grace_period": "0_days"}}
    applied = await bank("PUT", "/v1/policy", strict, headers={"if-match": "*"})
    assert applied.status_code == 200, applied.text
    known, unknown = await begun(bank), await begun(bank, user="nobody")
    assert unknown.keys() == known.keys()
    assert unknown["user"].startswith("usr_")
    told = ("id", "user")
    assert {k: v for k, v in unknown.items() if k not in told} == {k: v for k, v in known.items() if k not in told}


async def test_a_new_person_is_created_with_the_sign_in_if_the_key_may(api: Api, bank: Application) -> None:
    body = {"user": {"username": "nina"}, "context": CONTEXT}
    narrow = await api.application("authenticate", name="narrow")
    refused = await narrow("POST", "/v1/authentications", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert (await bank("GET", "/v1/users/nina")).status_code == 404
    assert (await bank("POST", "/v1/authentications", body)).status_code == 201
    assert (await bank("GET", "/v1/users/nina")).status_code == 200


async def test_the_grace_period_is_skipped_at_aal1(api: Api, bank: Application) -> None:
    await api.person(bank)
    authentication = await begun(bank)
    assert authentication["decision"] == "enroll"
    assert authentication["grace_ends_at"] is not None
    skipped = await bank("POST", f"/v1/authentications/{authentication['id']}/skip")
    said = claims(skipped.json()["assertion"])
    assert said["acr"] == "aal1"
    assert "mfa" not in said["amr"]
    api.world.clock.advance(31 * DAY)
    late = await begun(bank)
    refused = await bank("POST", f"/v1/authentications/{late['id']}/skip")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_skippable")


async def test_a_sign_in_can_be_given_up(api: Api, bank: Application) -> None:
    await api.phone(bank, await api.person(bank))
    path = f"/v1/authentications/{(await begun(bank))['id']}"
    cancelled = await bank("POST", f"{path}/cancellation")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "rejected")
    assert (await bank("POST", f"{path}/verifications", {"code": "123456"})).status_code == 409


async def test_a_sign_in_expires(api: Api, bank: Application) -> None:
    phone = await api.phone(bank, await api.person(bank))
    path = f"/v1/authentications/{(await begun(bank))['id']}"
    api.world.clock.advance(11 * MINUTE)
    assert (await bank("GET", path)).json()["status"] == "expired"
    late = await bank("POST", f"{path}/verifications", {"code": phone.code()})
    assert late.status_code == 409 or late.json()["reason"] == "expired", late.text


async def test_a_hosted_sign_in_has_a_prompt_and_tells_nothing_elsewhere(api: Api, bank: Application) -> None:
    phone = await api.phone(bank, await api.person(bank))
    hosted = await begun(bank, return_url="https://bank.example/back", state="abc")
    assert hosted["prompt_url"].startswith("https://mfa.example/")
    path = f"/v1/authentications/{hosted['id']}"
    refused = await bank("POST", f"{path}/verifications", {"code": phone.code()})
    assert (refused.status_code, refused.json()["code"]) == (409, "hosted")
    result = await bank("POST", f"{path}/result", {"code": "guess"})
    assert result.status_code in (404, 409, 422), result.text


@pytest.mark.requirement("X5")
async def test_a_return_url_must_be_registered_exactly(bank: Application) -> None:
    for url in ("https://bank.example/back/", "https://bank.example/back?x=1", "https://evil.example/back"):
        body = {"user": "maya", "context": CONTEXT, "return_url": url, "state": "abc"}
        refused = await bank("POST", "/v1/authentications", body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/return_url"


@pytest.mark.requirement("B1", "E4")
async def test_a_key_alone_never_changes_how_somebody_signs_in(api: Api, bank: Application) -> None:
    user = await api.person(bank)
    phone = await api.phone(bank, user)
    factors = f"/v1/users/{user}/factors"
    for method, path, body in (
        ("POST", factors, {"kind": "totp"}),
        ("DELETE", f"{factors}/{phone.factor}", None),
        ("POST", f"/v1/users/{user}/backup-codes", {}),
        ("POST", factors, {"kind": "totp", "approval": "atn_00000000000000000000000000000000"}),
    ):
        refused = await bank(method, path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required"), path
    approval = await begun(bank, action="manage_factors")
    answered = await bank("POST", f"/v1/authentications/{approval['id']}/verifications", {"code": phone.code()})
    assert answered.json()["status"] == "approved", answered.text
    codes = await bank("POST", f"/v1/users/{user}/backup-codes", {"approval": approval["id"]})
    assert codes.status_code == 201, codes.text
    assert len(codes.json()["backup_codes"]) == 10
    again = await bank("DELETE", f"{factors}/{phone.factor}?approval={approval['id']}")
    assert (again.status_code, again.json()["code"]) == (403, "step_up_required")
    api.world.clock.advance(30 * SECOND)
    approval = await begun(bank, action="manage_factors")
    await bank("POST", f"/v1/authentications/{approval['id']}/verifications", {"code": phone.code()})
    assert (await bank("DELETE", f"{factors}/{phone.factor}?approval={approval['id']}")).status_code == 204


async def test_a_hotp_factor_is_resynchronized_by_two_codes(api: Api, bank: Application) -> None:
    user = await api.person(bank)
    made = (await bank("POST", f"/v1/users/{user}/factors", {"kind": "hotp"})).json()
    secret = parse(made["enrollment"]["uri"]).secret
    path = f"/v1/users/{user}/factors/{made['id']}"
    assert (await bank("POST", f"{path}/activation", {"code": hotp.code_at(secret, 0, 6)})).status_code == 200
    one_alone = {"code": hotp.code_at(secret, 40, 6), "next_code": hotp.code_at(secret, 42, 6)}
    refused = await bank("POST", f"{path}/resynchronization", one_alone)
    assert refused.status_code == 422, refused.text
    both = {"code": hotp.code_at(secret, 40, 6), "next_code": hotp.code_at(secret, 41, 6)}
    assert (await bank("POST", f"{path}/resynchronization", both)).status_code == 200
    verified = {"user": "maya", "code": hotp.code_at(secret, 42, 6), "context": CONTEXT}
    assert (await bank("POST", "/v1/verify", verified)).json()["status"] == "approved"


async def test_a_portal_link_is_told_once(api: Api, bank: Application) -> None:
    user = await api.person(bank)
    link = await bank("POST", f"/v1/users/{user}/portal-links")
    assert link.status_code == 201
    assert link.json()["url"].startswith("https://mfa.example/")


async def test_a_policy_is_read_replaced_and_kept(bank: Application) -> None:
    read = await bank("GET", "/v1/policy")
    assert (read.json()["version"], read.headers["etag"]) == (0, '"0"')
    text = await bank("GET", "/v1/policy", headers={"accept": YAML})
    assert (text.headers["content-type"], text.text) == (YAML, read.json()["document"])
    yaml = {"content-type": YAML}
    unsaid = await bank("PUT", "/v1/policy", content=ARTICLE, headers=yaml)
    assert (unsaid.status_code, unsaid.json()["code"]) == (428, "if_match_required")
    put = await bank("PUT", "/v1/policy", content=ARTICLE, headers=yaml | {"if-match": '"0"'})
    assert (put.status_code, put.json()["version"], put.headers["etag"]) == (200, 1, '"1"')
    for stale in ('"0"', '"7"', 'W/"1"', "1"):
        lost = await bank("PUT", "/v1/policy", content=ARTICLE, headers=yaml | {"if-match": stale})
        assert (lost.status_code, lost.json()["code"]) == (412, "version_mismatch")
    as_json = {"mfa_enforcement": {"all_users": True, "grace_period": "7_days"}}
    second = await bank("PUT", "/v1/policy", as_json, headers={"if-match": "*"})
    assert second.json()["version"] == 2, second.text
    versions = (await bank("GET", "/v1/policy/versions")).json()["data"]
    assert [version["version"] for version in versions] == [2, 1]
    assert (await bank("GET", "/v1/policy/versions/1")).json()["document"] == ARTICLE
    unwanted = await bank("GET", "/v1/policy", headers={"accept": "text/html"})
    assert (unwanted.status_code, unwanted.json()["code"]) == (406, "not_acceptable")


async def test_a_bad_policy_is_told_by_line_and_never_replaces_a_good_one(bank: Application) -> None:
    bad = "mfa_enforcement:\n  all_usrs: true\n  grace_period: soon\n"
    for method, path in (("PUT", "/v1/policy"), ("POST", "/v1/policy/check")):
        refused = await bank(method, path, content=bad, headers={"content-type": YAML, "if-match": '"0"'})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_policy"), refused.text
        found = {(e["pointer"], e.get("nearest")): e["detail"] for e in refused.json()["errors"]}
        assert found["/mfa_enforcement/all_usrs", "all_users"].startswith("line 2, column 3")
        assert found["/mfa_enforcement/grace_period", None].startswith("line 3")
    assert (await bank("GET", "/v1/policy")).json()["version"] == 0


@pytest.mark.parametrize("body", [b"\xff", b"{", b'{"a":' + b"[" * 100_000], ids=["utf8", "json", "deep"])
async def test_a_policy_that_cannot_be_read_is_a_400(bank: Application, body: bytes) -> None:
    headers = {"content-type": "application/json", "if-match": "*"}
    refused = await bank("PUT", "/v1/policy", content=body, headers=headers)
    assert refused.status_code == 400, refused.text


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a: &a [1]\nb: *a", "{" * 50_000, "- " * 50_000, "a: !!python/object:os.system x", "\x00", "a: \x07"],
    ids=["empty", "list", "alias", "braces", "dashes", "tag", "nul", "control"],
)
async def test_hostile_yaml_is_a_problem_and_no_fault(bank: Application, text: str) -> None:
    refused = await bank("POST", "/v1/policy/check", content=text.encode(), headers={"content-type": YAML})
    assert refused.status_code in (400, 422), refused.text


async def test_a_policy_document_may_be_longer_than_other_bodies(bank: Application) -> None:
    long = ARTICLE + "# " + "x" * 100_000
    checked = await bank("POST", "/v1/policy/check", content=long, headers={"content-type": YAML})
    assert checked.status_code == 200, checked.text
    longer = ARTICLE + "# " + "x" * 300_000
    refused = await bank("POST", "/v1/policy/check", content=longer, headers={"content-type": YAML})
    assert refused.status_code == 413


@pytest.mark.requirement("G1", "G2")
async def test_events_tell_who_did_what_and_hold_no_code(api: Api, bank: Application) -> None:
    phone = await api.phone(bank, await api.person(bank))
    wrong, right = phone.wrong(), phone.code()
    for code in (wrong, right):
        await bank("POST", "/v1/verify", {"user": "maya", "code": code, "context": CONTEXT})
    await api.world.events()
    page = await bank("GET", "/v1/audit/events?limit=200")
    events = page.json()["data"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {"user:created", "factor:activated", "authentication:approved"} <= {event["type"] for event in events}
    assert all(event["actor"] == f"application:{bank.id}" for event in events if event["type"].startswith("factor:"))
    assert not shows(page.text, wrong)
    assert not shows(page.text, right)
    one = await bank("GET", "/v1/audit/events?type=user:created&user=maya&limit=1")
    assert [event["type"] for event in one.json()["data"]] == ["user:created"]
