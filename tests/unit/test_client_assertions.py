"""The client believes an assertion completely or not at all."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from nightlatch_client import Nightlatch, NotVerified, action_hash
from nightlatch_client.assertions import TYPE, Expected, check
from nightlatch_client.protocol import of

NOW = 1_766_000_000.0
KEY = ECKey.generate_key("P-256", {"kid": "k1"}, auto_kid=False)
PUBLIC = {"keys": [{**KEY.as_dict(private=False), "kid": "k1", "use": "sig", "alg": "ES256"}]}
EXPECTED = Expected(issuer="https://mfa.example", application="app_1", user="usr_1", authentication="atn_1")


def claims(**changes: Any) -> dict[str, Any]:
    told = {
        "iss": "https://mfa.example",
        "aud": "app_1",
        "sub": "usr_1",
        "txn": "atn_1",
        "action": "login",
        "iat": NOW,
        "exp": NOW + 300,
        "auth_time": NOW,
        "acr": "aal2",
        "amr": ["mfa", "otp", "pwd"],
        "jti": "j1",
        **changes,
    }
    return {name: value for name, value in told.items() if value is not ...}


def signed(told: dict[str, Any] | None = None, **header: Any) -> str:
    return jwt.encode({"alg": "ES256", "typ": TYPE, "kid": "k1", **header}, told or claims(), KEY, algorithms=["ES256"])


def test_a_good_assertion_is_read() -> None:
    """What was proved is told, no more."""
    assertion = check(signed(), PUBLIC, EXPECTED, now=NOW + 10)
    assert (assertion.acr, assertion.amr, assertion.user) == ("aal2", ("mfa", "otp", "pwd"), "usr_1")


@pytest.mark.requirement("E1", "E8")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iss": "https://other.example"}, "wrong_iss"),
        ({"iss": ...}, "wrong_iss"),
        ({"aud": "app_2"}, "wrong_aud"),
        ({"aud": ["app_1", "app_2"]}, "wrong_aud"),
        ({"sub": "usr_2"}, "wrong_sub"),
        ({"txn": "atn_2"}, "wrong_txn"),
        ({"txn": ...}, "wrong_txn"),
        ({"action": "transfer"}, "wrong_action"),
        ({"action": ...}, "wrong_action"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": ...}, "wrong_exp"),
        ({"exp": "tomorrow"}, "wrong_exp"),
        ({"exp": True}, "wrong_exp"),
        ({"iat": NOW + 3600}, "not_yet"),
        ({"auth_time": ...}, "wrong_auth_time"),
        ({"acr": "aal1"}, "insufficient_acr"),
        ({"acr": ...}, "insufficient_acr"),
        ({"acr": "aal9"}, "insufficient_acr"),
        ({"acr": ["aal2"]}, "insufficient_acr"),
        ({"amr": ...}, "insufficient_acr"),
        ({"amr": ["otp"]}, "insufficient_acr"),
        ({"jti": ...}, "wrong_jti"),
    ],
)
def test_a_missing_or_other_claim_is_the_weakest(change: dict[str, Any], reason: str) -> None:
    """Whatever is missing, of another type or for somebody else is refused by name."""
    with pytest.raises(NotVerified) as refused:
        check(signed(claims(**change)), PUBLIC, EXPECTED, now=NOW + 10)
    assert refused.value.reason == reason


def _b64(value: dict[str, Any] | bytes) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _forgeries() -> list[str]:
    header, body, signature = signed().split(".")
    hs_header = _b64({"alg": "HS256", "typ": TYPE, "kid": "k1"})
    # The old confusion: the public key, which everybody has, taken for a shared secret.
    mac = hmac.digest(KEY.as_pem(private=False), f"{hs_header}.{body}".encode(), "sha256")
    other = ECKey.generate_key("P-256", {"kid": "k1"}, auto_kid=False)
    stranger = jwt.encode({"alg": "ES256", "typ": TYPE, "kid": "k1"}, claims(), other, algorithms=["ES256"])
    brought = {"alg": "ES256", "typ": TYPE, "kid": "k1", "jwk": other.as_dict(private=False)}
    return [
        f"{_b64({'alg': 'none', 'typ': TYPE, 'kid': 'k1'})}.{body}.",
        f"{_b64({'alg': 'none', 'typ': TYPE, 'kid': 'k1'})}.{body}.{signature}",
        f"{hs_header}.{body}.{_b64(mac)}",
        stranger,
        jwt.encode(brought, claims(), other, algorithms=["ES256"]),
        signed(typ="JWT"),
        signed(typ="nightlatch-push-response+jwt"),
        f"{header}.{_b64(claims(sub='usr_2'))}.{signature}",
        f"{header}.{body}.{_b64(bytes(64))}",
        f"{header}.{body}",
        "",
        "....",
        "x" * 100_000,
        "ü.ü.ü",
    ]


@pytest.mark.parametrize("token", _forgeries())
def test_a_forgery_is_refused(token: str) -> None:
    """No algorithm of the token's choice, no key that it brings along, no other type of ours."""
    with pytest.raises(NotVerified):
        check(token, PUBLIC, EXPECTED, now=NOW + 10)


def test_details_are_part_of_what_was_approved() -> None:
    """An approval of one transfer is none of another."""
    approved = {"amount": "10.00", "to": "DE1"}
    token = signed(claims(action="transfer", action_hash=action_hash(approved)))

    def expected(details: dict[str, Any]) -> Expected:
        return Expected(
            issuer=EXPECTED.issuer,
            application="app_1",
            user="usr_1",
            authentication="atn_1",
            action="transfer",
            action_details=details,
        )

    assert check(token, PUBLIC, expected({"to": "DE1", "amount": "10.00"}), now=NOW).action == "transfer"
    with pytest.raises(NotVerified):
        check(token, PUBLIC, expected({"to": "DE1", "amount": "9999.00"}), now=NOW)


def test_unreachable_is_no() -> None:
    """Keys that cannot be read prove nothing, and neither do keys in a broken answer."""

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    for transport in (
        httpx.MockTransport(down),
        httpx.MockTransport(lambda _: httpx.Response(200, text="<html>")),
        httpx.MockTransport(lambda _: httpx.Response(200, json=[])),
        httpx.MockTransport(lambda _: httpx.Response(200, json={})),
        httpx.MockTransport(lambda _: httpx.Response(503)),
    ):
        with (
            Nightlatch("https://mfa.example", "k", application="app_1", transport=transport) as mfa,
            pytest.raises(NotVerified),
        ):
            mfa.verify(signed(), expected_user="usr_1", expected_authentication="atn_1")


def test_unknown_key_fetches_once_and_junk_costs_no_more() -> None:
    """A rotated key is found at once; a flood of junk key ids makes one request."""
    served: list[dict[str, list[str]]] = [{"keys": []}]
    fetched = []

    def keys(request: httpx.Request) -> httpx.Response:
        fetched.append(request.url.path)
        return httpx.Response(200, json=served[0])

    with Nightlatch("https://mfa.example", "k", application="app_1", transport=httpx.MockTransport(keys)) as mfa:
        for _ in range(20):
            with pytest.raises(NotVerified):
                mfa.verify(signed(kid="junk"), expected_user="usr_1", expected_authentication="atn_1")
        assert fetched == ["/.well-known/jwks.json"]


def test_no_id_reaches_another_path() -> None:
    """An id from outside is never a way to another route."""
    for bad in ("../users", "atn_../x", "atn_1/../../policy", "usr_1", "", "atn_1?x"):
        with pytest.raises(ValueError, match="not the id"):
            of(bad)
