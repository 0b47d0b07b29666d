"""Pushes leave as their services want them: encrypted, addressed, bounded, and pruned when a phone is gone."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import http_ece  # type: ignore[import-untyped]  # ships no types
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from nightlatch.adapters.delivery.http import LONGEST_ANSWER
from nightlatch.adapters.delivery.push_apns import Apns
from nightlatch.adapters.delivery.push_fcm import Fcm
from nightlatch.adapters.delivery.push_ntfy import Ntfy
from nightlatch.adapters.delivery.push_web import KNOWN_SERVICES, WebPush, is_known
from nightlatch.adapters.system import SystemClock, SystemEntropy
from nightlatch.domain.webpush import LONGEST, BadSubscription, subscription_of, vapid_key
from nightlatch.ports.delivery import NotSent, PushMessage
from tests.support.listener import Answer, Listener, listening
from tests.support.push_app import NO_TOPICS

CONTENT = {
    "web_push": 8030,
    "notification": {"title": "Bänk", "body": "Somebody signs in.", "navigate": "https://mfa.example/authenticator"},
    "nightlatch": {"type": "MFA_CHALLENGE", "challenge": "abc", "appName": "Bänk", "timestamp": "2026-11-24T05:00:00Z"},
}


def message(subscription: Any, **more: Any) -> PushMessage:
    return PushMessage(
        **{"id": "msg_1", "subscription": subscription, "content": CONTENT, "ttl": 120, "topic": "0192ab", **more}
    )


@dataclass
class Browser:
    """What a browser keeps of its subscription."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = bytes(range(16))

    def subscription(self, endpoint: str) -> dict[str, Any]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": endpoint, "keys": {"p256dh": _b64(point), "auth": _b64(self.auth)}}

    def read(self, body: bytes) -> Any:
        return json.loads(http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"))


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
async def service() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


def web_push(service: Listener) -> WebPush:
    return WebPush(
        vapid_key(lambda purpose, text: bytes(31) + b"\x07"),
        SystemClock(),
        SystemEntropy(),
        contact="mailto:ops@example.org",
        services=(service.url,),
    )


@pytest.mark.requirement("P7", "P8", "P9")
async def test_another_library_reads_what_we_encrypt(service: Listener) -> None:
    """http-ece opens the body with the browser's keys, and the statement names this push service for under a day."""
    browser, sender = Browser(), web_push(service)
    await sender.send(message(browser.subscription(f"{service.url}/wpush/v2/abc")))
    (request,) = service.requests
    assert browser.read(request.body) == CONTENT
    assert (request.headers["ttl"], request.headers["topic"]) == ("120", "0192ab")
    assert request.headers["content-encoding"] == "aes128gcm"
    scheme, _, rest = request.headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    point = base64.urlsafe_b64decode(parts["k"] + "=")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(parts["t"], ECKey.import_key(pem), algorithms=["ES256"]).claims
    now = SystemClock().now() // 1_000_000
    assert claims["aud"] == service.url
    assert now < claims["exp"] <= now + 86_400
    await sender.close()


@pytest.mark.requirement("P7")
@pytest.mark.parametrize(
    ("status", "gone", "permanent"),
    [
        (404, True, True),
        (410, True, True),
        (413, False, True),
        (400, False, True),
        (429, False, False),
        (503, False, False),
    ],
)
async def test_a_refusal_says_what_helps(service: Listener, status: int, gone: bool, permanent: bool) -> None:
    """Gone prunes, busy is tried again, the rest is given up."""
    service.answer = Answer(status)
    sender = web_push(service)
    with pytest.raises(NotSent) as failure:
        await sender.send(message(Browser().subscription(f"{service.url}/x")))
    assert (failure.value.gone, failure.value.permanent) == (gone, permanent)
    await sender.close()


async def test_a_phone_sends_us_nowhere(service: Listener) -> None:
    """An endpoint that is no known push service is never called."""
    sender = web_push(service)
    for endpoint in (
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "https://evil.example",
    ):
        with pytest.raises(NotSent) as failure:
            await sender.send(message(Browser().subscription(endpoint)))
        assert failure.value.gone
    assert service.requests == []
    assert is_known("https://wns2-par02p.notify.windows.com/w/?token=x", KNOWN_SERVICES)
    for near in (
        "https://updates.push.services.mozilla.com.evil.example/x",
        "https://evilnotify.windows.com/x",
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
    ):
        assert not is_known(near, KNOWN_SERVICES), near
    await sender.close()


async def test_a_message_is_bounded(service: Listener) -> None:
    """3993 octets go out, one more is refused here and not by the service."""
    browser, sender = Browser(), web_push(service)
    room = LONGEST - len(msgspec.json.encode({"x": ""}))
    await sender.send(message(browser.subscription(f"{service.url}/x"), content={"x": "y" * room}))
    assert len(service.requests[0].body) == 4096
    with pytest.raises(NotSent):
        await sender.send(message(browser.subscription(f"{service.url}/x"), content={"x": "y" * (room + 1)}))
    await sender.close()


@pytest.mark.parametrize(
    "told",
    [
        None,
        {},
        {"endpoint": "https://x", "keys": {"p256dh": "AA", "auth": "AA"}},
        {"endpoint": 5, "keys": {}},
        {"endpoint": "https://x", "keys": {"p256dh": "!" * 87, "auth": _b64(bytes(16))}},
        {"endpoint": "https://x", "keys": {"p256dh": _b64(b"\x04" + bytes(64)), "auth": _b64(bytes(16))}},
    ],
)
def test_a_bad_subscription_is_named(told: Any) -> None:
    """What no browser gives is refused when it is given, not when somebody waits for it."""
    with pytest.raises(BadSubscription):
        subscription_of(told)


def fcm(service: Listener) -> Fcm:
    """A sender for a project whose tokens and messages go to one service."""
    pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    account = {
        "type": "service_account",
        "project_id": "demo",
        "private_key": pem.decode(),
        "client_email": "push@demo.iam.gserviceaccount.com",
        "token_uri": f"{service.url}/token",
    }
    return Fcm(account, url=service.url)


async def test_fcm_gets_the_articles_fields(service: Listener) -> None:
    """A token is fetched once by google-auth; the data fields are those that the article's app reads."""
    service.by_path["/token"] = Answer(200, b'{"access_token":"at","expires_in":3600,"token_type":"Bearer"}')
    service.answer = Answer(200, b'{"name":"projects/demo/messages/1"}')
    sender = fcm(service)
    assert (await sender.send(message("device-token"))).reference == "projects/demo/messages/1"
    await sender.send(message("device-token"))
    token, first, second = service.requests
    assert token.path == "/token"
    assert first.headers["authorization"] == second.headers["authorization"] == "Bearer at"
    sent = json.loads(first.body)["message"]
    assert first.path == "/v1/projects/demo/messages:send"
    assert sent["data"] == CONTENT["nightlatch"]
    assert sent["token"] == "device-token"
    unregistered = {"error": {"code": 404, "details": [{"errorCode": "UNREGISTERED"}]}}
    service.answer = Answer(404, json.dumps(unregistered).encode())
    with pytest.raises(NotSent) as failure:
        await sender.send(message("device-token"))
    assert failure.value.gone
    await sender.close()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"access_token":"at","expires_in":3600,"padding":"' + b"x" * LONGEST_ANSWER + b'"}',
        b"{}",
        b'{"access_token":"at","expires_in":"soon"}',
        b'{"access_token":"at","expires_in":1e300}',
        b'{"access_token":"at","expires_in":[]}',
        b'{"access_token":["at"],"expires_in":3600}',
        '{"access_token":"\u00e4","expires_in":3600}'.encode(),
        b'{"access_token":"a\\r\\nX-Evil: 1","expires_in":3600}',
    ],
    ids=lambda said: said[:40].decode("latin-1"),
)
async def test_fcm_sends_nothing_without_a_token(service: Listener, said: bytes) -> None:
    """Whatever the token's endpoint answers, however long: not sent, and tried again later."""
    service.by_path["/token"] = Answer(200, said)
    sender = fcm(service)
    with pytest.raises(NotSent, match="no_access_token") as failure:
        await sender.send(message("device-token"))
    assert not failure.value.permanent
    assert {request.path for request in service.requests} == {"/token"}
    service.by_path["/token"] = Answer(200, b'{"access_token":"at","expires_in":3600}')
    await sender.send(message("device-token"))
    await sender.close()


async def test_ntfy_gets_a_line_and_a_link(service: Listener) -> None:
    """Only the operator's own servers are written to, and a name cannot forge a header."""
    service.answer = Answer(200, b'{"id":"n1"}')
    sender = Ntfy((service.url,), token="tk_secret")
    hostile = {**CONTENT, "notification": {**CONTENT["notification"], "title": "Bank\r\nX-Evil: 1"}}  # type: ignore[dict-item]
    assert (await sender.send(message(f"{service.url}/up123", content=hostile))).reference == "n1"
    (request,) = service.requests
    assert (request.path, request.body) == ("/up123", b"Somebody signs in.")
    assert request.headers["title"] == "Bank X-Evil: 1"
    assert "x-evil" not in request.headers
    assert request.headers["click"] == "https://mfa.example/authenticator"
    for elsewhere in ("https://ntfy.sh/other", *(service.url + rest for rest in NO_TOPICS)):
        with pytest.raises(NotSent) as failure:
            await sender.send(message(elsewhere))
        assert failure.value.gone, elsewhere
    await sender.send(message(f"{service.url}/up123?up=1"))
    assert [request.path for request in service.requests] == ["/up123", "/up123?up=1"]
    await sender.close()


@pytest.mark.parametrize("said", [b"[]", b"5", b'{"id":5}', b'{"id":{}}', b"[" * 3000, b"\xff", b""])
async def test_ntfy_names_a_message_or_does_not(service: Listener, said: bytes) -> None:
    """It was accepted all the same."""
    service.answer = Answer(200, said)
    sender = Ntfy((service.url,))
    assert (await sender.send(message(f"{service.url}/up123"))).reference is None
    await sender.close()


async def test_apns_signs_once_and_names_the_device() -> None:
    """Apple's token is made once in forty minutes; a device that unregistered is gone."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    async with listening(http2=True) as service:
        sender = Apns(pem, SystemClock(), key_id="KID", team_id="TEAM", topic="org.example.app", url=service.url)
        await sender.send(message("ab12"))
        await sender.send(message("ab12"))
        first, second = service.requests
        assert first.path == "/3/device/ab12"
        assert first.headers["authorization"] == second.headers["authorization"]
        decoded = jwt.decode(first.headers["authorization"].removeprefix("bearer "), ECKey.import_key(pem))
        assert (decoded.header["kid"], decoded.claims["iss"]) == ("KID", "TEAM")
        assert json.loads(first.body)["aps"]["alert"]["body"] == "Somebody signs in."
        service.answer = Answer(410, b'{"reason":"Unregistered"}')
        with pytest.raises(NotSent) as failure:
            await sender.send(message("ab12"))
        assert failure.value.gone
        with pytest.raises(NotSent):
            await sender.send(message("../../x"))
        await sender.close()
