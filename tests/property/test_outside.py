"""Whatever is nested how deeply, it is refused as what it is: malformed. Each place that reads bytes of others."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from nightlatch.adapters.delivery.http import HttpAnswer
from nightlatch.adapters.delivery.http_template import SIGNATURE
from nightlatch.adapters.delivery.sns_receipts import SnsReceipts
from nightlatch.adapters.delivery.vonage import _parameters
from nightlatch.domain.crypto.canonical import DEEPEST, NotCanonical, action_hash
from nightlatch.domain.factors import push_protocol as protocol
from nightlatch.domain.factors.push_protocol import NotAccepted
from nightlatch.domain.outside import Unreadable, read_any_json, read_json
from nightlatch.domain.policy.loader import load
from nightlatch.domain.policy.problems import PolicyErrors
from nightlatch.ports.delivery import Callback, Forged, NotSent
from nightlatch_client.assertions import Expected, NotVerified, check
from tests.support.sms_gateways import template as template_gateway

KEY = ECKey.generate_key("P-256")
JWK = {name: KEY.as_dict(private=False)[name] for name in ("kty", "crv", "x", "y")}
PUBLIC = protocol.public_key(JWK)
DEPTHS = [10, 400, 900, 950, 980, 990, 995, 1000, 1010, 2900]
EXPECTED = Expected(issuer="https://mfa.example", application="app", user="usr", authentication="auth")
TOPIC = "arn:aws:sns:eu-central-1:1:t"


def nested(depth: int, end: str = "0") -> str:
    """Brackets in brackets."""
    return "[" * depth + end + "]" * depth


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def signed(typ: str, payload: str) -> str:
    header: dict[str, Any] = {"alg": "ES256", "typ": typ}
    header |= {"jwk": JWK} if typ == protocol.PAIRING else {"kid": "fac_" + "1" * 32}
    return jws.serialize_compact(header, payload.encode(), KEY, algorithms=["ES256"])


READERS = {
    protocol.PAIRING: protocol.pairing_claims,
    protocol.REQUEST: protocol.request_claims,
    protocol.RESPONSE: protocol.response_claims,
}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("typ", READERS)
def test_no_part_of_a_phones_message(typ: str, depth: int) -> None:
    """Header and payload, of each of the three, whether its brackets close or not."""
    for text in (
        nested(depth),
        "[" * depth,
        f'{{"alg":"ES256","typ":{nested(depth)}}}',
        f'{{"alg":"ES256","kid":{nested(depth)}}}',
    ):
        with pytest.raises(NotAccepted):
            READERS[typ](f"{b64(text)}.e30.AA", PUBLIC)
        with pytest.raises(NotAccepted):
            protocol.factor_of(f"{b64(text)}.e30.AA")
        with pytest.raises(NotAccepted):
            READERS[typ](signed(typ, text), PUBLIC)


@pytest.mark.parametrize("depth", DEPTHS)
def test_no_key(depth: int) -> None:
    """What is to be a coordinate."""
    try:
        deep = read_any_json(nested(depth))
    except Unreadable:
        return
    for name in JWK:
        with pytest.raises(NotAccepted):
            protocol.public_key(JWK | {name: deep})


def sns(body: bytes) -> Awaitable[object]:
    async def fetch(url: str) -> bytes:
        raise NotSent("unreachable")

    return SnsReceipts("sns", TOPIC, fetch).read(Callback(url="", query="", headers={}, body=body))


def template(body: bytes) -> Awaitable[object]:
    gateway = template_gateway("https://sms.example/", receipt_secret="s" * 32)
    signature = "sha256=" + hmac.digest(b"s" * 32, body, hashlib.sha256).hex()
    return gateway.read(Callback(url="", query="", headers={SIGNATURE: signature}, body=body))


async def vonage(body: bytes) -> object:
    return _parameters(Callback(url="", query="", headers={"content-type": "application/json"}, body=body))


RECEIPTS: dict[str, Callable[[bytes], Awaitable[object]]] = {"sns": sns, "template": template, "vonage": vonage}


@pytest.mark.parametrize("depth", [*DEPTHS, 60_000])
@pytest.mark.parametrize("gateway", RECEIPTS)
async def test_no_receipt(gateway: str, depth: int) -> None:
    """Of a gateway that posts JSON; in a member that is read and in one that is not."""
    for name in ("MessageId", "id", "x"):
        with pytest.raises(Forged):
            await RECEIPTS[gateway](f'{{"{name}":{nested(depth)}}}'.encode())


@pytest.mark.parametrize("depth", [*DEPTHS, 60_000])
def test_no_answer_of_a_gateway(depth: int) -> None:
    """It says nothing then, or what it says is plain data."""
    HttpAnswer(status=500, body=nested(depth).encode()).json()


@pytest.mark.parametrize("depth", [*DEPTHS, 30_000])
def test_no_policy(depth: int) -> None:
    """YAML and JSON."""
    for text in (nested(depth), f"mfa_enforcement: {nested(depth)}", f'{{"a":{nested(depth)}}}', "- " * depth):
        with pytest.raises(PolicyErrors):
            load(text)


@pytest.mark.parametrize("depth", DEPTHS)
def test_no_assertion(depth: int) -> None:
    """In the client, which others run."""
    for header in (nested(depth), f'{{"alg":"ES256","typ":{nested(depth)}}}'):
        with pytest.raises(NotVerified):
            check(f"{b64(header)}.e30.AA", {"keys": []}, EXPECTED, now=0)


@given(depth=st.integers(1, 400))
def test_details_have_a_bound_of_ours(depth: int) -> None:
    """Not one that depends on how deep the caller stands."""
    details = {"a": read_any_json(nested(depth))}
    if depth < DEEPEST:
        assert action_hash(details)
    else:
        with pytest.raises(NotCanonical):
            action_hash(details)


@given(
    raw=st.binary(max_size=40)
    | st.text(alphabet='[]{}":,0 \\u\ud800d', max_size=40).map(lambda t: t.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_read_or_unreadable(raw: bytes) -> None:
    """With one error."""
    for type_ in (dict[str, Any], protocol.RequestClaims):
        try:
            read_json(raw, type_)
        except Unreadable:
            continue
