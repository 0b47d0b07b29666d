"""What a topic of Amazon SNS sends to us ("Verifying the signatures of Amazon SNS messages", signature version 2).

Only certificates from Amazon's own hosts count, fetched by https; only the topic that the settings name may speak; and a
subscription is confirmed at Amazon's own hosts only. Version 1 signs with SHA-1 and is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from nightlatch.adapters.delivery.http import HttpSender
from nightlatch.adapters.delivery.sns_certificates import Certificates, Fetch, is_amazons
from nightlatch.domain.outside import Unreadable, read_json
from nightlatch.ports.delivery import Callback, Forged, NotSent
from nightlatch.ports.outbox import Receipt

_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}

Field = Annotated[str, msgspec.Meta(max_length=256 * 1024)]


class _Told(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    type: Literal["Notification", "SubscriptionConfirmation"]
    message_id: Field
    topic_arn: Field
    message: Field
    timestamp: Field
    signature_version: Literal["2"]
    signature: Field
    signing_cert_url: Annotated[str, msgspec.Meta(max_length=500)] = msgspec.field(name="SigningCertURL")
    subscribe_url: str | None = msgspec.field(name="SubscribeURL", default=None)
    subject: str | None = None
    token: str | None = None


class _LoggedOf(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    message_id: str


class _LoggedHow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    provider_response: str = ""


class _Logged(msgspec.Struct, frozen=True, kw_only=True):
    """A line of SNS's delivery log ("Viewing Amazon CloudWatch metrics and logs for SMS deliveries")."""

    notification: _LoggedOf
    status: Literal["SUCCESS", "FAILURE"]
    delivery: _LoggedHow = _LoggedHow()


async def fetch_from_amazon(url: str) -> bytes:
    """See ``Fetch``."""
    http = HttpSender()
    try:
        answer = await http.get(url)
    finally:
        await http.close()
    if not answer.good:
        raise NotSent(f"amazon_{answer.status}")
    return answer.body


class SnsReceipts:
    """See ``ports.delivery.ReceiptReader``."""

    def __init__(self, gateway: str, topic: str | None, fetch: Fetch) -> None:
        self._gateway = gateway
        self._topic = topic
        self._fetch = fetch
        self._certificates = Certificates(fetch)

    async def read(self, callback: Callback) -> Sequence[Receipt]:
        """Receipts of a notification. A subscription of the topic is confirmed, and tells of none."""
        try:
            told = read_json(callback.body, _Told)
        except Unreadable:
            raise Forged("it is no message of a topic, or not of signature version 2") from None
        if self._topic is None or told.topic_arn != self._topic:
            raise Forged("it is of another topic than receipts_topic")
        await self._check(told, callback.body)
        if told.type == "Notification":
            return self._receipts(told.message)
        await self._confirm(told)
        return ()

    def _receipts(self, message: str) -> Sequence[Receipt]:
        try:
            logged = read_json(message, _Logged)
        except Unreadable:
            return ()
        delivered = logged.status == "SUCCESS"
        error = None if delivered else logged.delivery.provider_response or "sns_failure"
        reference = logged.notification.message_id
        return (Receipt(gateway=self._gateway, reference=reference, delivered=delivered, error=error),)

    async def _confirm(self, told: _Told) -> None:
        if told.subscribe_url is None or not is_amazons(told.subscribe_url):
            raise Forged("SubscribeURL is not at Amazon's")
        try:
            await self._fetch(told.subscribe_url)
        except NotSent as error:
            raise Forged(f"the subscription could not be confirmed ({error.reason})") from None

    async def _check(self, told: _Told, raw: bytes) -> None:
        key = await self._certificates.key(told.signing_cert_url)
        fields = read_json(raw, dict[str, object])
        signed = "".join(f"{name}\n{fields[name]}\n" for name in _SIGNED[told.type] if fields.get(name) is not None)
        try:
            key.verify(base64.b64decode(told.signature, validate=True), signed.encode(), padding.PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error):
            raise Forged("Signature is wrong") from None
        self._certificates.proved(told.signing_cert_url)
