"""Twilio, Vonage and Amazon SNS as their public documentation describes them: who asks wrongly is refused as there.

Each is an ASGI application for ``serving``; what it took is in ``texts``, and it signs what it tells.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from tests.support.api import serving
from tests.support.certificates import self_signed

Reply = tuple[int, str, str]
"""Status, content type, body."""

FORM = "application/x-www-form-urlencoded"


@dataclass
class Request:
    """What came, and its form."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields; none twice."""
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body))
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)


@dataclass
class Service:
    """``refuse`` answers the next texts instead; ``texts`` are the forms that were taken."""

    texts: list[dict[str, str]] = field(default_factory=list)
    refuse: Reply | None = None
    url: str = ""

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, kind, text = self.answer(Request(scope["method"], scope["path"], headers, body))
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
        await send({"type": "http.response.body", "body": text.encode()})

    def answer(self, request: Request) -> Reply:
        """What it says to a request."""
        raise NotImplementedError

    @asynccontextmanager
    async def running(self) -> Any:
        """Serve until the end."""
        async with AsyncExitStack() as stack:
            self.url, _ = await stack.enter_async_context(serving(self))  # type: ignore[arg-type]
            yield self


def _json(status: int, content: Any) -> Reply:
    return status, "application/json", json.dumps(content)


ACCOUNT = "AC" + "0" * 32
AUTH_TOKEN = "twilio-auth-token"


class Twilio(Service):
    """Messages API: "Messages resource", "Error and warning dictionary"."""

    NUMBER = re.compile(r"\+[1-9]\d{6,14}")

    def answer(self, request: Request) -> Reply:
        """201 with a message, or an error with its code."""
        if request.path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json" or request.method != "POST":
            return _json(404, {"code": 20404, "status": 404})
        basic = base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return _json(401, {"code": 20003, "message": "Authenticate", "status": 401})
        if self.refuse is not None:
            return self.refuse
        form = request.form
        if not self.NUMBER.fullmatch(form.get("To", "")):
            return _json(400, {"code": 21211, "message": f"Invalid 'To' Phone Number: {form.get('To')}", "status": 400})
        if ("From" in form) == ("MessagingServiceSid" in form):
            return _json(400, {"code": 21603, "message": "A 'From' phone number is required", "status": 400})
        if not form.get("Body") or not 1 <= int(form.get("ValidityPeriod", "1")) <= 36000:
            return _json(400, {"code": 21602, "message": "Message body is required", "status": 400})
        if unknown := set(form) - {"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"}:
            return _json(400, {"code": 20001, "message": f"Unknown {unknown}", "status": 400})
        self.texts.append(form)
        return _json(201, {"sid": f"SM{len(self.texts):032x}", "status": "queued", "error_code": None})

    @staticmethod
    def told(url: str, token: str = AUTH_TOKEN, **fields: str) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a status callback ("Validating signatures from Twilio")."""
        signed = url + "".join(name + fields[name] for name in sorted(fields))
        signature = base64.b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()
        return urlencode(fields).encode(), {"content-type": FORM, "x-twilio-signature": signature}


API_KEY, API_SECRET, SIGNATURE_SECRET = "abcd1234", "vonage-secret", "vonage-signature-secret"


class Vonage(Service):
    """SMS API: errors come with status 200 and their own number ("Troubleshooting SMS")."""

    def answer(self, request: Request) -> Reply:
        """One message a part, each with its status."""
        if request.path != "/sms/json":
            return 404, "text/html", "not found"
        if self.refuse is not None:
            return self.refuse
        form = request.form
        if form.get("api_key") != API_KEY or form.get("api_secret") != API_SECRET:
            return self._refused("4", "Bad Credentials")
        if not {"from", "to", "text"} <= set(form):
            return self._refused("2", "Missing to, from or text")
        if not re.fullmatch(r"[1-9]\d{6,14}", form["to"]) or not 20_000 <= int(form["ttl"]) <= 604_800_000:
            return self._refused("3", "Invalid parameter")
        if form.get("type") != "unicode" and not form["text"].isascii():
            return self._refused("6", "would arrive as question marks")
        self.texts.append(form)
        message = {"to": form["to"], "message-id": f"0C{len(self.texts):014X}", "status": "0", "network": "26201"}
        return _json(200, {"message-count": "1", "messages": [message]})

    @staticmethod
    def refused(status: str, *before: dict[str, str]) -> Reply:
        """An answer of this status, after parts that were taken."""
        failed = {"status": status, "error-text": "-"}
        return _json(200, {"message-count": str(len(before) + 1), "messages": [*before, failed]})

    def _refused(self, status: str, text: str) -> Reply:
        return _json(200, {"message-count": "1", "messages": [{"status": status, "error-text": text}]})

    @staticmethod
    def signed(fields: Mapping[str, str], method: str = "sha256") -> dict[str, str]:
        """Parameters of a receipt with their signature ("Signing messages": HMAC over the sorted parameters)."""
        mac = hmac.new(SIGNATURE_SECRET.encode(), digestmod=method)
        for name, value in sorted(fields.items()):
            mac.update(f"&{name}={re.sub('[&=]', '_', value)}".encode())
        return {**fields, "sig": mac.hexdigest().upper()}


REGION, KEY_ID, SECRET_KEY = "eu-central-1", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:texts"
CERTIFICATE_URL = f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"


class Sns(Service):
    """Publish, with the signature of "Authenticating Requests (AWS Signature Version 4)" computed here anew."""

    def __init__(self) -> None:
        super().__init__()
        self.pem, self.key = self_signed("sns.amazonaws.com")
        self.fetched: list[str] = []

    def answer(self, request: Request) -> Reply:
        """XML, as the query protocol of SNS answers."""
        if not self._signed(request):
            return self.error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
        if self.refuse is not None:
            return self.refuse
        form = request.form
        if form.get("Action") != "Publish" or form.get("Version") != "2010-03-31":
            return self.error(400, "InvalidAction", "no such action")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form.get("PhoneNumber", "")):
            return self.error(400, "InvalidParameter", "Invalid parameter: PhoneNumber Reason: not valid to publish to")
        self.texts.append(form)
        number = f"{len(self.texts):08d}-0000-0000-0000-000000000000"
        return (
            200,
            "text/xml",
            (
                '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
                f"<MessageId>{number}</MessageId></PublishResult></PublishResponse>"
            ),
        )

    @staticmethod
    def error(status: int, code: str, message: str) -> Reply:
        """An error of the query protocol."""
        return (
            status,
            "text/xml",
            (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            ),
        )

    def _signed(self, request: Request) -> bool:
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/sns/aws4_request, ?"
            r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
            request.headers.get("authorization", ""),
        )
        if found is None or (found[1], found[3]) != (KEY_ID, REGION):
            return False
        names = found[4].split(";")
        if "host" not in names or "x-amz-date" not in names:
            return False
        canonical = "\n".join([
            request.method, request.path, "", *(f"{name}:{request.headers[name].strip()}" for name in names), "",
            found[4], hashlib.sha256(request.body).hexdigest(),
        ])  # fmt: skip
        scope = f"{found[2]}/{REGION}/sns/aws4_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{hashed}"
        key = f"AWS4{SECRET_KEY}".encode()
        for part in (found[2], REGION, "sns", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, to_sign.encode(), "sha256").hex() == found[5]

    async def fetch(self, url: str) -> bytes:
        """What stands at Amazon's addresses."""
        self.fetched.append(url)
        return self.pem

    def told(self, type_: str = "Notification", *, version: str = "2", **fields: str) -> bytes:
        """A message of the topic, signed ("Verifying the signatures of Amazon SNS messages")."""
        content = {
            "Type": type_, "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC,
            "Timestamp": "2026-01-01T00:00:00.000Z", "SignatureVersion": version, "SigningCertURL": CERTIFICATE_URL,
        } | fields  # fmt: skip
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        if type_ != "Notification":
            names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        signed = "".join(f"{name}\n{content[name]}\n" for name in names if name in content)
        algorithm = SHA256() if version == "2" else SHA1()
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), algorithm)
        return json.dumps(content | {"Signature": base64.b64encode(signature).decode()}).encode()

    @staticmethod
    def logged(reference: str, status: str = "SUCCESS", response: str = "Message has been accepted by phone") -> str:
        """A line of the delivery log ("Viewing Amazon CloudWatch metrics and logs for SMS deliveries")."""
        return json.dumps({
            "notification": {"messageId": reference, "timestamp": "2026-01-01 00:00:00.000"},
            "delivery": {"phoneCarrier": "My Phone Carrier", "mnc": 270, "destination": "+1", "priceInUSD": 0.00645,
                         "smsType": "Transactional", "mcc": 310, "providerResponse": response, "dwellTimeMs": 599},
            "status": status,
        })  # fmt: skip


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(url.partition("?")[2]).items()}
