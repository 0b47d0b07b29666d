"""Twilio, Vonage and Amazon SNS, against local servers that check what the real ones check."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from nightlatch.adapters.delivery import sns_receipts
from nightlatch.ports.delivery import NotSent
from nightlatch.ports.outbox import Receipt
from tests.support.certificates import DAY, self_signed
from tests.support.listener import Answer, listening
from tests.support.sms_gateways import (
    HOSTILE,
    NUMBER,
    RECEIPTS,
    WORDS,
    a_text,
    forged,
    read,
    refusal,
    sns,
    twilio,
    vonage,
)
from tests.support.sms_services import REGION, TOPIC, Sns, Twilio, Vonage


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
