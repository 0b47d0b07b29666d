"""Gateways to services on this machine, each by itself, and what tests ask of them."""

from __future__ import annotations

from typing import Any

import pytest

from nightlatch.adapters.delivery.http_template import HttpTemplateGateway
from nightlatch.adapters.delivery.options import HttpOptions, SnsOptions, TwilioOptions, VonageOptions
from nightlatch.adapters.delivery.sns import SnsGateway
from nightlatch.adapters.delivery.twilio import TwilioGateway
from nightlatch.adapters.delivery.vonage import VonageGateway
from nightlatch.adapters.system import SystemClock
from nightlatch.domain.time import MINUTE
from nightlatch.ports.delivery import Callback, Forged, NotSent, ReceiptReader, SmsGateway, Text
from nightlatch.ports.outbox import Receipt
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
