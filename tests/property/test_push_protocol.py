"""Whatever a phone's message says otherwise than it must, it is not accepted."""

from __future__ import annotations

import base64
import hmac
import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from nightlatch.domain.factors import push_protocol as protocol
from nightlatch.domain.factors.push_protocol import Asked, NotAccepted
from nightlatch.domain.time import SECOND
from tests.support.phones import PushPhone, signed

NOW = 1_766_000_000 * SECOND
AUD = "https://mfa.example"
FACTOR = "fac_" + "1" * 32
HEADER = {"alg": "ES256", "typ": protocol.RESPONSE, "kid": FACTOR}


@dataclass
class Still:
    """A clock that stands still."""

    def now(self) -> int:
        """The instant of all these tests."""
        return NOW


PHONE = PushPhone(AUD, Still(), factor=FACTOR, user="usr_" + "2" * 32)
KEY = protocol.public_key(PHONE.jwk)
CHALLENGE = {"nonce": "n" * 43, "application": "app_" + "3" * 32, "action": "login", "action_hash": "h" * 43}
ASKED = Asked(
    aud=AUD, challenge="n" * 43, user=PHONE.user, factor=FACTOR, application="app_" + "3" * 32, action="login",
    action_hash="h" * 43, created_at=NOW - SECOND,
)  # fmt: skip
GOOD = PHONE.claims(CHALLENGE, "approve", "123456")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def accepts(token: str, asked: Asked = ASKED, now: int = NOW) -> bool:
    """Whether a response would be taken as an answer to what was asked."""
    try:
        protocol.check_response(protocol.response_claims(token, KEY), asked, now)
    except NotAccepted:
        return False
    return True


def said(claims: dict[str, Any], header: dict[str, Any] | None = None, key: Any = None) -> str:
    """A response that says this, signed."""
    return signed(HEADER if header is None else header, claims, key or PHONE.key)


def test_the_response_of_the_phone_is_accepted() -> None:
    """Or what follows would show nothing."""
    assert accepts(said(GOOD))
    for decision in ("deny", "not_me"):
        assert accepts(said(PHONE.claims(CHALLENGE, decision, None)))
    assert accepts(said(GOOD | {"uv": True}))


@pytest.mark.requirement("P4")
@pytest.mark.parametrize("name", [name for name in GOOD if name not in ("iat", "exp", "number", "decision")])
@given(value=JSON)
def test_a_field_that_says_anything_else_is_refused(name: str, value: object) -> None:
    """Each of them, whatever it says."""
    if value != GOOD[name]:
        assert not accepts(said(GOOD | {name: value}))


@pytest.mark.requirement("P4")
@pytest.mark.parametrize("name", list(GOOD))
def test_a_field_that_is_missing_is_refused(name: str) -> None:
    """Nothing is assumed."""
    assert not accepts(said({key: value for key, value in GOOD.items() if key != name}))


@pytest.mark.requirement("P4")
@given(name=st.text().filter(lambda name: name not in (*GOOD, "uv")), value=JSON)
def test_a_field_that_is_not_known_is_refused(name: str, value: object) -> None:
    """What is signed and not understood may be meant."""
    assert not accepts(said(GOOD | {name: value}))


@pytest.mark.requirement("P1", "P4")
@given(decision=st.text() | st.sampled_from(["deny", "not_me", "approve"]))
def test_a_number_comes_with_approval_alone(decision: str) -> None:
    """And approval never without one."""
    assert accepts(said(GOOD | {"decision": decision})) is (decision == "approve")
    bare = {key: value for key, value in GOOD.items() if key != "number"} | {"decision": decision}
    assert accepts(said(bare)) is (decision in ("deny", "not_me"))


@pytest.mark.requirement("P2", "P4")
@given(iat=st.integers(-300, 300), life=st.integers(-300, 300))
def test_a_response_is_of_now_and_lives_two_minutes(iat: int, life: int) -> None:
    """As far as clocks agree to a minute."""
    at = GOOD["iat"] + iat
    fine = abs(iat) <= 60 and 0 < life <= 120 and iat + life > -60
    assert accepts(said(GOOD | {"iat": at, "exp": at + life})) is fine


@pytest.mark.requirement("P4")
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_bit_that_is_flipped_anywhere_is_refused(place: int, bit: int) -> None:
    """In header, payload or signature."""
    token = said(GOOD)
    at = place % len(token)
    flipped = token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :]
    assert not accepts(flipped)


@pytest.mark.requirement("P4")
def test_another_key_is_refused() -> None:
    """Also under the name of this phone's."""
    assert not accepts(said(GOOD, key=ECKey.generate_key("P-256")))


def unsigned() -> str:
    """RFC 7515 appendix A.5."""
    header = {"alg": "none", "typ": protocol.RESPONSE, "kid": FACTOR}
    return f"{part(header)}.{part(GOOD)}."


def part(value: object) -> str:
    """JSON in base64url."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def symmetric() -> str:
    """HMAC under the public key's own bytes: the classical confusion."""
    header = part({"alg": "HS256", "typ": protocol.RESPONSE, "kid": FACTOR})
    text = f"{header}.{part(GOOD)}"
    secret = json.dumps(PHONE.jwk).encode()
    tag = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).rstrip(b"=").decode()
    return f"{text}.{tag}"


def relabelled(alg: str) -> str:
    """A good signature under another algorithm's name."""
    return f"{part(HEADER | {'alg': alg})}.{said(GOOD).partition('.')[2]}"


def of_other_kind(alg: str, key: Any) -> str:
    """Signed in another algorithm."""
    header = {"alg": alg, "typ": protocol.RESPONSE, "kid": FACTOR}
    return jws.serialize_compact(header, json.dumps(GOOD).encode(), key, algorithms=[alg])


def with_signature(change: Callable[[bytes], bytes]) -> str:
    """A good response whose signature is written otherwise."""
    text, _, signature = said(GOOD).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    return f"{text}.{base64.urlsafe_b64encode(change(raw)).rstrip(b'=').decode()}"


def in_der(raw: bytes) -> bytes:
    """As certificates have signatures, and JWS has not."""
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def respelled() -> str:
    """The same bytes: the last character of the signature has bits that count for nothing."""
    token = said(GOOD)
    symbols = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    return token[:-1] + symbols[symbols.index(token[-1]) ^ 1]


def in_plain_base64() -> str:
    """With the two symbols that an address would not take."""
    for number in range(1_000):
        token = said(GOOD | {"exp": GOOD["exp"] - number % 60, "uv": bool(number % 2)})
        if set(token) & set("-_"):
            return token.replace("-", "+").replace("_", "/")
    raise AssertionError("no signature with either symbol")


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (SEC 2 §2.4.2)."""

FORGED: dict[str, Callable[[], str]] = {
    "none": unsigned,
    "none without its last dot": lambda: unsigned()[:-1],
    "HS256": symmetric,
    "RS256": lambda: of_other_kind("RS256", RSAKey.generate_key(2048)),
    "ES384": lambda: of_other_kind("ES384", ECKey.generate_key("P-384")),
    "EdDSA": lambda: of_other_kind("Ed25519", OKPKey.generate_key("Ed25519")),
    "RS256 in name": lambda: relabelled("RS256"),
    "ES384 in name": lambda: relabelled("ES384"),
    "no algorithm": lambda: relabelled(""),
    "key in the header": lambda: said(GOOD, HEADER | {"jwk": PHONE.jwk}),
    "key by address": lambda: said(GOOD, HEADER | {"jku": "https://thief.example/"}),
    "critical": lambda: said(GOOD, HEADER | {"crit": ["kid"]}),
    "of another type": lambda: said(GOOD, HEADER | {"typ": protocol.REQUEST}),
    "of no type": lambda: said(GOOD, {"alg": "ES256", "kid": FACTOR}),
    "of no key": lambda: said(GOOD, {"alg": "ES256", "typ": protocol.RESPONSE}),
    "four parts": lambda: said(GOOD) + ".",
    "padding": lambda: said(GOOD) + "=",
    "another spelling": respelled,
    "another alphabet": in_plain_base64,
    "a signature of nothing": lambda: with_signature(lambda _: b""),
    "a signature of zeros": lambda: with_signature(lambda _: bytes(64)),
    "a signature of the order": lambda: with_signature(lambda _: ORDER.to_bytes(32, "big") * 2),
    "a signature of ones": lambda: with_signature(lambda _: b"\xff" * 64),
    "half a signature": lambda: with_signature(lambda raw: raw[:32]),
    "a signature and more": lambda: with_signature(lambda raw: raw + b"\0"),
    "a signature with a sign": lambda: with_signature(lambda raw: b"\0" + raw[:32] + b"\0" + raw[32:]),
    "a signature in DER": lambda: with_signature(in_der),
    "nothing": lambda: "",
    "too long": lambda: said(GOOD | {"action": "a" * 9000}),
    "no object": lambda: jws.serialize_compact(HEADER, b"[]", PHONE.key, algorithms=["ES256"]),
    "no JSON": lambda: jws.serialize_compact(HEADER, b"\xff", PHONE.key, algorithms=["ES256"]),
}


@pytest.mark.requirement("P4")
@pytest.mark.parametrize("what", FORGED)
def test_what_is_no_es256_of_this_phone_is_refused(what: str) -> None:
    """alg none, confusion of RS, ES and HS, keys that a token brings along."""
    assert not accepts(FORGED[what]())


@pytest.mark.requirement("P4")
@given(text=st.text())
def test_any_text_is_refused(text: str) -> None:
    """Without an error of another kind."""
    for token in (text, f"{text}.{text}.{text}", f"{part(HEADER)}.{text}.{text}"):
        assert not accepts(token)


def refuses(check: Callable[[], object]) -> bool:
    """Whether a check refuses."""
    try:
        check()
    except NotAccepted:
        return True
    return False


@pytest.mark.requirement("P3")
@pytest.mark.parametrize(
    "change",
    [
        {"crv": "P-384"}, {"kty": "RSA"}, {"d": "AQ"}, {"x": ""}, {"x": "AA"}, {"x": PHONE.jwk["x"] + "="},
        {"y": PHONE.jwk["x"]}, {"x": 1}, {"alg": "ES256"}, {"x": "A" * 43},
    ],
)  # fmt: skip
def test_only_a_public_point_on_p_256_is_a_key(change: dict[str, Any]) -> None:
    """A private part is never taken, nor a point that is not on the curve."""
    assert refuses(lambda: protocol.public_key(PHONE.jwk | change))


@pytest.mark.requirement("B2", "P3")
@pytest.mark.parametrize("name", ["aud", "code_hash", "iat", "jti"])
def test_a_pairing_proof_is_for_this_server_this_code_and_now(name: str) -> None:
    """And signed by the key that it brings."""
    code = "0" * 24

    def judge(body: dict[str, Any], key: protocol.PublicKey = KEY) -> None:
        claims = protocol.pairing_claims(body["proof"], key)
        protocol.check_pairing(claims, aud=AUD, code=code, now=NOW)

    judge(PHONE.pairing(code))
    bad: dict[str, Any] = {"aud": "https://thief.example", "code_hash": "x", "iat": PHONE.seconds - 61, "jti": 7}
    assert refuses(lambda: judge(PHONE.pairing(code, **{name: bad[name]})))
    assert refuses(lambda: judge(PHONE.pairing(code), protocol.public_key(PushPhone(AUD).jwk)))


@pytest.mark.parametrize("name", ["aud", "htm", "htu", "body_hash", "iat", "jti"])
def test_a_signed_request_is_this_request_now(name: str) -> None:
    """Method, path and body; nothing of it can be said of another."""

    def judge(header: str) -> None:
        claims = protocol.request_claims(header.removeprefix("Push "), KEY)
        protocol.check_request(claims, aud=AUD, method="PUT", path="/v1/push/subscription", body=b"{}", now=NOW)

    judge(PHONE.authorization("PUT", "/v1/push/subscription", b"{}"))
    bad = {"aud": "x", "htm": "GET", "htu": "/", "body_hash": "x", "iat": PHONE.seconds + 61, "jti": "short"}
    header = PHONE.authorization("PUT", "/v1/push/subscription", b"{}", **{name: bad[name]})
    assert refuses(lambda: judge(header))


@pytest.mark.parametrize("jti", ["\0" * 16, "é" * 16, "a" * 15, "a" * 65, "line\nbreak" * 2])
def test_an_id_of_a_request_is_kept_as_it_is(jti: str) -> None:
    """It is a key in the database for a while, so what a database would refuse is refused before."""
    claims = protocol.request_claims(PHONE.authorization("GET", "/", jti=jti).removeprefix("Push "), KEY)
    assert refuses(lambda: protocol.check_request(claims, aud=AUD, method="GET", path="/", body=b"", now=NOW))
