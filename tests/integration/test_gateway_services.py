"""Twilio, Vonage, Amazon SNS, any HTTP API and the veto, against local servers that check what the real ones check."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from nightlatch.adapters.delivery import http, sns_receipts
from nightlatch.adapters.delivery.http_template import BadTemplate, HttpTemplateGateway
from nightlatch.adapters.delivery.options import HttpOptions, SnsOptions, TwilioOptions, VonageOptions
from nightlatch.adapters.delivery.sns import SnsGateway
from nightlatch.adapters.delivery.twilio import TwilioGateway
from nightlatch.adapters.delivery.veto import HttpVeto
from nightlatch.adapters.delivery.vonage import VonageGateway
from nightlatch.adapters.system import SystemClock
from nightlatch.domain.time import MINUTE
from nightlatch.ports.delivery import Callback, Forged, NotSent, ReceiptReader, SmsGateway, Text
from nightlatch.ports.outbox import Receipt
from tests.support.certificates import DAY, self_signed
from tests.support.kept import free_port
from tests.support.listener import Answer, Listener, listening
from tests.support.sms_services import (
    ACCOUNT,
    API_KEY,
    API_SECRET,
    AUTH_TOKEN,
    KEY_ID,
    REGION,
    SECRET_KEY,
    SIGNATURE_SECRET,
    TOPIC,
    Sns,
    Twilio,
    Vonage,
)

NUMBER = "+491713920001"
WORDS = "602931 is your Meridian code. @mfa.example #602931"
RECEIPTS = "https://mfa.example/v1/sms/receipts/cloud"
HOSTILE = '602931 "}],\\"&to=+1900\r\nX: 1%00{token}{to}é€😀'


def a_text(words: str = WORDS, to: str = NUMBER) -> Text:
    """A text for five minutes."""
    return Text(id="msg_1", to=to, text=words, expires_at=SystemClock().now() + 5 * MINUTE)


def twilio(url: str, **options: Any) -> TwilioGateway:
    """A gateway to this Twilio."""
    given = {"name": "cloud", "url": url, "account_sid": ACCOUNT, "auth_token": AUTH_TOKEN} | options
    return TwilioGateway(TwilioOptions(**given), SystemClock(), sender="+15005550006", receipts_url=RECEIPTS)


def vonage(url: str, **options: Any) -> VonageGateway:
    """A gateway to this Vonage."""
    given = {
        "name": "cloud", "url": url, "api_key": API_KEY, "api_secret": API_SECRET, "signature_secret": SIGNATURE_SECRET,
    } | options  # fmt: skip
    return VonageGateway(VonageOptions(**given), SystemClock(), sender="Meridian", receipts_url=RECEIPTS)


def sns(service: Sns, **options: Any) -> SnsGateway:
    """A gateway to this SNS, with certificates from the same place."""
    given = {
        "name": "cloud", "url": service.url + "/", "region": REGION, "access_key_id": KEY_ID,
        "secret_access_key": SECRET_KEY, "receipts_topic": TOPIC,
    } | options  # fmt: skip
    return SnsGateway(SnsOptions(**given), sender="Meridian", fetch=service.fetch)


def template(url: str, **options: Any) -> HttpTemplateGateway:
    """A gateway to any API."""
    given = {"name": "cloud", "url": url, "fields": {"to": "{to}", "text": "{text}"}} | options
    return HttpTemplateGateway(HttpOptions(**given), SystemClock(), sender="Meridian", receipts_url=RECEIPTS)


async def refusal(gateway: SmsGateway, text: Text | None = None) -> tuple[str, bool, bool]:
    """Why it did not send, whether that is for good, and whether it may have all the same."""
    with pytest.raises(NotSent) as caught:
        await gateway.send(text or a_text())
    return caught.value.reason, caught.value.permanent, caught.value.uncertain


async def read(reader: ReceiptReader, *, url: str = RECEIPTS, body: bytes = b"", **headers: str) -> list[Receipt]:
    """What it reads."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return list(await reader.read(Callback(url=url, query=url.partition("?")[2], headers=named, body=body)))


async def forged(reader: ReceiptReader, **callback: Any) -> str:
    """Why it does not believe it."""
    with pytest.raises(Forged) as caught:
        await read(reader, **callback)
    return str(caught.value)


async def test_twilio_takes_a_text() -> None:
    """Every field as documented; a messaging service stands for a sender."""
    async with Twilio().running() as service:
        accepted = await twilio(service.url).send(a_text(HOSTILE))
        await twilio(service.url, messaging_service="MG1").send(a_text())
    first, second = service.texts
    assert accepted.reference == f"SM{1:032x}"
    assert first | {"ValidityPeriod": ""} == {
        "To": NUMBER, "From": "+15005550006", "Body": HOSTILE, "StatusCallback": RECEIPTS, "ValidityPeriod": "",
    }  # fmt: skip
    assert 295 <= int(first["ValidityPeriod"]) <= 300
    assert second["MessagingServiceSid"] == "MG1"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, ("bad_number", True, False)),
        (400, 21614, ("not_mobile", True, False)),
        (400, 21610, ("unsubscribed", True, False)),
        (400, 21408, ("twilio_21408", False, False)),
        (429, 20429, ("throttled", False, False)),
        (503, 20503, ("twilio_20503", False, False)),
        (504, None, ("twilio_504", False, True)),
    ],
)
async def test_what_twilio_refuses(status: int, code: int | None, expected: tuple[str, bool, bool]) -> None:
    """By its error codes."""
    service = Twilio(refuse=(status, "application/json", json.dumps({"code": code, "status": status})))
    async with service.running():
        assert await refusal(twilio(service.url)) == expected


async def test_twilio_knows_a_wrong_token_and_a_wrong_number() -> None:
    """As the service itself judges."""
    async with Twilio().running() as service:
        assert await refusal(twilio(service.url, auth_token="other")) == ("twilio_20003", False, False)
        assert await refusal(twilio(service.url), a_text(to="+0")) == ("bad_number", True, False)


async def test_twilios_own_example_is_signed_as_twilio_says() -> None:
    """The example of "Validating signatures from Twilio"; only its fields tell of no text."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = {
        "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309",
        "To": "+18005551212",
    }  # fmt: skip
    gateway = twilio("https://api.twilio.com", auth_token="12345")
    signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert await read(gateway, url=url, body=urlencode(fields).encode(), x_twilio_signature=signature) == []


async def test_twilio_tells_what_became_of_a_text() -> None:
    """Delivered, or not with its code; with and without the port in the address; states on the way tell nothing."""
    gateway = twilio("https://api.twilio.com")

    async def told(url: str = RECEIPTS, **fields: str) -> list[Receipt]:
        body, headers = Twilio.told(url, MessageSid="SM1", **fields)
        return await read(gateway, body=body, x_twilio_signature=headers["x-twilio-signature"])

    assert await told(MessageStatus="delivered") == [Receipt(gateway="cloud", reference="SM1", delivered=True)]
    failed = Receipt(gateway="cloud", reference="SM1", delivered=False, error="twilio_30003")
    assert await told(MessageStatus="undelivered", ErrorCode="30003") == [failed]
    assert await told(MessageStatus="failed", ErrorCode="30003", ErrorMessage="a & b = ü") == [failed]
    assert await told("https://mfa.example:443/v1/sms/receipts/cloud", MessageStatus="failed", ErrorCode="30003") == [
        failed
    ]
    assert await told(MessageStatus="sent") == []


async def test_a_forged_word_of_twilio_is_refused() -> None:
    """Another token, another address, another field, no signature."""
    gateway = twilio("https://api.twilio.com")
    body, headers = Twilio.told(RECEIPTS, MessageSid="SM1", MessageStatus="delivered")
    good = headers["x-twilio-signature"]
    _, other = Twilio.told(RECEIPTS, "other", MessageSid="SM1", MessageStatus="delivered")
    for callback in (
        {"body": body}, {"body": body, "x_twilio_signature": other["x-twilio-signature"]},
        {"body": body + b"&ErrorCode=1", "x_twilio_signature": good},
        {"body": body, "url": RECEIPTS + "?a=1", "x_twilio_signature": good},
        {"body": body, "x_twilio_signature": "é"}, {"body": b"\xff", "x_twilio_signature": good},
    ):  # fmt: skip
        assert "Signature" in await forged(gateway, **callback)


async def test_vonage_takes_a_text() -> None:
    """Digits without plus, unicode where it is needed, our id, and a time to live."""
    async with Vonage().running() as service:
        accepted = await vonage(service.url).send(a_text())
        await vonage(service.url, signature_secret=None).send(a_text(HOSTILE))
    first, second = service.texts
    assert accepted.reference == "0C00000000000001"
    assert (first["to"], first["from"], first["text"], first["client-ref"]) == (NUMBER[1:], "Meridian", WORDS, "msg_1")
    assert (first["callback"], first["status-report-req"], first.get("type")) == (RECEIPTS, "1", None)
    assert (second["text"], second["type"], second.get("callback")) == (HOSTILE, "unicode", None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("1", ("throttled", False, False)),
        ("4", ("vonage_4", False, False)),
        ("6", ("bad_number", True, False)),
        ("7", ("barred", True, False)),
        ("9", ("vonage_9", False, False)),
        ("15", ("vonage_15", False, False)),
    ],
)
async def test_what_vonage_refuses(status: str, expected: tuple[str, bool, bool]) -> None:
    """By its statuses, which come with 200."""
    async with Vonage(refuse=Vonage.refused(status)).running() as service:
        assert await refusal(vonage(service.url)) == expected


async def test_a_text_of_which_vonage_took_a_part_is_uncertain() -> None:
    """And so is an answer that says nothing."""
    part = {"status": "0", "message-id": "0C1"}
    async with Vonage(refuse=Vonage.refused("1", part)).running() as service:
        assert await refusal(vonage(service.url)) == ("vonage_1", False, True)
        for strange in ("[]", "{}", "<html>", '{"messages":[{"status":"0"}]}'):
            service.refuse = (200, "application/json", strange)
            assert await refusal(vonage(service.url)) == ("unreadable_answer", False, True)


@pytest.mark.parametrize("method", ["sha256", "sha512"])
async def test_vonage_tells_what_became_of_a_text(method: str) -> None:
    """In the query, as a form and as JSON, however the account is set."""
    gateway = vonage("https://rest.nexmo.com", signature_method=method)
    fields = {
        "messageId": "0C1",
        "status": "failed",
        "err-code": "6",
        "to": "a&b=c",
        "timestamp": "1767225600",
        "nonce": "x",
    }
    told = Vonage.signed(fields, method)
    failed = [Receipt(gateway="cloud", reference="0C1", delivered=False, error="vonage_6")]
    assert await read(gateway, url=f"{RECEIPTS}?{urlencode(told)}") == failed
    form = "application/x-www-form-urlencoded"
    assert await read(gateway, body=urlencode(told).encode(), content_type=form) == failed
    assert await read(gateway, body=json.dumps(told).encode(), content_type="application/json") == failed
    delivered = Vonage.signed(fields | {"status": "delivered", "err-code": "0"}, method)
    assert await read(gateway, url=f"{RECEIPTS}?{urlencode(delivered)}") == [
        Receipt(gateway="cloud", reference="0C1", delivered=True)
    ]
    assert (
        await read(gateway, url=f"{RECEIPTS}?{urlencode(Vonage.signed(fields | {'status': 'buffered'}, method))}") == []
    )


async def test_a_forged_word_of_vonage_is_refused() -> None:
    """A changed field, a weaker method, none at all, no secret in the settings."""
    gateway = vonage("https://rest.nexmo.com")
    fields = {"messageId": "0C1", "status": "delivered"}
    told = Vonage.signed(fields)
    for wrong in (
        told | {"messageId": "0C2"}, told | {"more": "1"}, fields, fields | {"sig": ""}, Vonage.signed(fields, "md5"),
    ):  # fmt: skip
        assert await forged(gateway, url=f"{RECEIPTS}?{urlencode(wrong)}") == "sig is wrong"
    assert await forged(gateway, body=b"{", content_type="application/json")
    assert await forged(vonage("https://rest.nexmo.com", signature_secret=None), url=f"{RECEIPTS}?{urlencode(told)}")


async def test_sns_takes_a_text() -> None:
    """Signed by version 4, from a name, as transactional."""
    async with Sns().running() as service:
        accepted = await sns(service).send(a_text(HOSTILE))
        await sns(service, sender="+4915112345678").send(a_text())
        assert await sns(service).healthy()
    first, second = service.texts
    assert accepted.reference == "00000001-0000-0000-0000-000000000000"
    assert (first["PhoneNumber"], first["Message"]) == (NUMBER, HOSTILE)
    attributes = {
        form[f"MessageAttributes.entry.{n}.Name"]: form[f"MessageAttributes.entry.{n}.Value.StringValue"]
        for form in (first, second)
        for n in (1, 2)
    }
    assert attributes == {
        "AWS.SNS.SMS.SMSType": "Transactional",
        "AWS.SNS.SMS.SenderID": "Meridian",
        "AWS.MM.SMS.OriginationNumber": "+4915112345678",
    }


async def test_what_sns_refuses() -> None:
    """A wrong key, a wrong number, too much at once."""
    async with Sns().running() as service:
        wrong = sns(service, secret_access_key="other")
        assert await refusal(wrong) == ("sns_SignatureDoesNotMatch", False, False)
        assert await refusal(sns(service), a_text(to="+0")) == ("bad_number", True, False)
        service.refuse = Sns.error(400, "Throttling", "Rate exceeded")
        assert await refusal(sns(service)) == ("throttled", False, False)
        service.refuse = Sns.error(400, "InvalidParameter", "Invalid parameter: Message too long")
        assert await refusal(sns(service)) == ("sns_InvalidParameter", False, False)
        service.refuse = (200, "text/xml", "<html/>")
        assert await refusal(sns(service)) == ("unreadable_answer", False, True)


async def test_a_topic_of_amazon_tells_what_became_of_a_text() -> None:
    """Its subscription is confirmed first; the certificate is fetched once; other notifications tell nothing."""
    service = Sns()
    gateway = sns(service)
    confirm = f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription&Token=2336&TopicArn={TOPIC}"
    subscription = service.told("SubscriptionConfirmation", Message="-", Token="2336", SubscribeURL=confirm)
    assert await read(gateway, body=subscription) == []
    assert service.fetched[1:] == [confirm]
    assert await read(gateway, body=service.told(Message=Sns.logged("r1"), Subject="é")) == [
        Receipt(gateway="cloud", reference="r1", delivered=True)
    ]
    failed = service.told(Message=Sns.logged("r1", "FAILURE", "Unknown error attempting to reach phone"))
    assert await read(gateway, body=failed) == [
        Receipt(gateway="cloud", reference="r1", delivered=False, error="Unknown error attempting to reach phone")
    ]
    assert await read(gateway, body=service.told(Message="hello")) == []
    assert len(service.fetched) == 2


async def test_a_forged_word_of_amazon_is_refused() -> None:
    """Another key, topic, text, host or version; and nothing is fetched from hosts that are not Amazon's."""
    service, stranger = Sns(), Sns()
    gateway = sns(service)
    message = Sns.logged("r1")
    good = json.loads(service.told(Message=message))
    amazon = f"https://sns.{REGION}.amazonaws.com"
    wrong: dict[str, Any]
    for wrong in (
        json.loads(stranger.told(Message=message)), good | {"Message": Sns.logged("r2")}, good | {"Subject": "x"},
        good | {"Signature": "!"}, json.loads(service.told(version="1", Message=message)),
        json.loads(service.told(Message=message, TopicArn=TOPIC + "2")), {}, good | {"Type": "UnsubscribeConfirmation"},
    ):  # fmt: skip
        await forged(gateway, body=json.dumps(wrong).encode())
    service.fetched.clear()
    path = "/SimpleNotificationService-0123456789abcdef.pem"
    for host in (
        "http://sns.eu-central-1.amazonaws.com", "https://evil.example", "https://sns.eu-central-1.amazonaws.com.evil.example",
        "https://evil.example/sns.eu-central-1.amazonaws.com", "https://sns.eu-central-1.amazonaws.com@evil.example",
        "https://bucket.s3.amazonaws.com", "https://sns.eu-central-1.amazonaws.com:8443", "//[",
    ):  # fmt: skip
        told = service.told(Message=message, SigningCertURL=host + path)
        assert "Amazon" in await forged(gateway, body=told)
        confirm = service.told("SubscriptionConfirmation", Message="-", Token="1", SubscribeURL=host + "/?Action=x")
        assert "Amazon" in await forged(gateway, body=confirm)
    assert "Amazon" in await forged(gateway, body=service.told(Message=message, SigningCertURL=amazon + "/other.pem"))
    assert set(service.fetched) <= {good["SigningCertURL"]}
    assert "topic" in await forged(sns(service, receipts_topic=None), body=service.told(Message=message))


@pytest.mark.parametrize(("begins", "ends"), [(-2 * DAY, -DAY), (DAY, 2 * DAY)])
async def test_a_certificate_counts_while_it_is_valid(begins: Any, ends: Any) -> None:
    """Neither before nor after."""
    service = Sns()
    service.pem, service.key = self_signed("sns.amazonaws.com", begins=begins, ends=ends)
    assert "today" in await forged(sns(service), body=service.told(Message="-"))


async def test_amazons_certificates_are_fetched_over_real_http() -> None:
    """What is not there, or not answered well, is no certificate."""
    async with listening() as listener:
        listener.answer = Answer(200, b"PEM")
        assert await sns_receipts.fetch_from_amazon(listener.url) == b"PEM"
        listener.answer = Answer(302, b"")
        with pytest.raises(NotSent, match="amazon_302"):
            await sns_receipts.fetch_from_amazon(listener.url)


async def test_a_template_becomes_json_whatever_the_text_holds() -> None:
    """Nested, with numbers left as they are; nothing that fills a hole is looked at again."""
    fields = {
        "messages": [{"to": "{to}", "body": "{text}", "ref": "{id}", "n": 1}], "from": "{sender}", "cb": "{receipts}",
    }  # fmt: skip
    async with listening() as listener:
        listener.answer = Answer(200, b'{"messages": [{"id": 42, "status": "ok"}]}')
        gateway = template(
            listener.url, fields=fields, headers={"Authorization": "Key {token}"}, token="t0ken",
            reference="messages.0.id", success={"messages.0.status": "ok"},
        )  # fmt: skip
        assert (await gateway.send(a_text(HOSTILE))).reference == "42"
    (seen,) = listener.requests
    assert (seen.headers["authorization"], seen.headers["content-type"]) == ("Key t0ken", "application/json")
    assert json.loads(seen.body) == {
        "messages": [{"to": NUMBER, "body": HOSTILE, "ref": "msg_1", "n": 1}], "from": "Meridian", "cb": RECEIPTS,
    }  # fmt: skip


async def test_a_template_becomes_a_form_whatever_the_text_holds() -> None:
    """One field stays one field."""
    async with listening() as listener:
        fields = {"to": "{to}", "text": "{text}", "life": "{seconds}"}
        accepted = await template(listener.url, format="form", fields=fields).send(a_text(HOSTILE))
    (seen,) = listener.requests
    from tests.support.sms_services import Request

    form = Request("POST", "/", {}, seen.body).form
    assert (form["to"], form["text"], set(form)) == (NUMBER, HOSTILE, set(fields))
    assert accepted.reference == "msg_1"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"fields": {"to": "{to}", "text": "{txt}"}}, "{txt}"),
        ({"fields": {"to": "{to}"}}, "{text}"),
        ({"headers": {"a": "{token}"}}, "token is not given"),
        ({"format": "form", "fields": {"a": ["{to}"], "text": "{text}"}}, "no tables"),
    ],
)
def test_a_template_that_describes_no_request_is_refused(options: dict[str, Any], reason: str) -> None:
    """At the start, not at the first text."""
    with pytest.raises(BadTemplate, match=reason.replace("{", r"\{").replace("}", r"\}")):
        template("https://sms.example", **options)


async def test_what_an_api_must_say_beside_its_status() -> None:
    """Otherwise it did not take it; without the reference that was promised, nobody knows."""
    async with listening() as listener:
        gateway = template(listener.url, success={"ok": "true"}, reference="id")
        for body, expected in (
            (b'{"ok": false, "id": "1"}', ("refused", False, False)),
            (b"<html>", ("refused", False, False)),
            (b'{"ok": true}', ("unreadable_answer", False, True)),
        ):
            listener.answer = Answer(200, body)
            assert await refusal(gateway) == expected
        for status, expected in ((302, ("http_302", False, False)), (429, ("throttled", False, False))):
            listener.answer = Answer(status, b"{}")
            assert await refusal(gateway) == expected
        listener.answer = Answer(502, b"{}")
        assert await refusal(gateway) == ("http_502", False, True)


async def test_any_api_may_tell_what_became_of_a_text() -> None:
    """Signed over its body; and not where no secret is set."""
    gateway = template("https://sms.example", receipt_secret="s3cret")
    body = json.dumps({"id": "msg_1", "status": "failed", "error": "absent"}).encode()
    signature = "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert await read(gateway, body=body, nightlatch_signature=signature) == [
        Receipt(gateway="cloud", reference="msg_1", delivered=False, error="absent")
    ]
    await forged(gateway, body=body + b" ", nightlatch_signature=signature)
    await forged(gateway, body=body)
    unsigned = "sha256=" + hmac.new(b"", body, hashlib.sha256).hexdigest()
    await forged(template("https://sms.example"), body=body, nightlatch_signature=unsigned)


@pytest.mark.parametrize("kind", [twilio, vonage, template])
async def test_an_answer_that_is_lost_leaves_it_uncertain(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hung, broken off or trickled; while one that never began is certain."""
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.1)
    how = ""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if how == "break":
            writer.close()
            return
        if how == "trickle":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        while not writer.is_closing():
            if how == "trickle":
                writer.write(b" ")
            await asyncio.sleep(0.05)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    gateway = kind(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    gateway._http = http.HttpSender(answer=0.2)
    for how, reason in (  # noqa: B007
        ("hang", "timeout"),
        ("break", "unreachable"),
        ("trickle", "timeout"),
    ):
        assert await refusal(gateway) == (reason, False, True)
    server.close()
    assert await refusal(kind(f"http://127.0.0.1:{free_port()}")) == ("unreachable", False, False)
    assert not await kind(f"http://127.0.0.1:{free_port()}").healthy()


async def test_no_answer_is_read_without_end() -> None:
    """A gateway that sends gigabytes fills no memory."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        except ConnectionError:
            return

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sender = http.HttpSender()
    answer = await sender.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", content=b"")
    assert len(answer.body) == http.LONGEST_ANSWER
    await sender.close()
    server.close()


async def objection(listener: Listener, status: int, body: bytes) -> str | None:
    """What a service says that answers so."""
    listener.answer = Answer(status, body)
    return await HttpVeto(listener.url, "a-token-of-sixteen").objection(NUMBER)


@pytest.mark.requirement("S8")
async def test_only_a_clear_yes_lets_a_text_go() -> None:
    """Everything else is a reason not to send, and says which."""
    async with listening() as listener:
        assert await objection(listener, 200, b'{"send": true}') is None
        assert await objection(listener, 200, b'{"send": false, "reason": "sim_swap"}') == "sim_swap"
        assert await objection(listener, 200, b'{"send": false, "reason": "+49171 is\\nbad"}') == "refused"
        for body in (b"", b"{}", b'{"send": "true"}', b'{"send": 1}', b"[true]", b"<html>"):
            assert await objection(listener, 200, body) == "veto_unreadable"
        for status in (201, 204, 302, 401, 404, 500):
            assert await objection(listener, status, b'{"send": true}') == f"veto_{status}"
        seen = listener.requests[0]
        assert (json.loads(seen.body), seen.headers["authorization"]) == (
            {"number": NUMBER},
            "Bearer a-token-of-sixteen",
        )


@pytest.mark.requirement("S8")
async def test_a_veto_that_is_late_or_away_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says that it was."""
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.1)
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert await HttpVeto(url, seconds=0.3).objection(NUMBER) == "veto_timeout"
    server.close()
    assert await HttpVeto(f"http://127.0.0.1:{free_port()}").objection(NUMBER) == "veto_unreachable"
