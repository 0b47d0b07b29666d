"""Twilio's Messages API ("Programmable Messaging: Messages resource", "Security: validating requests").

It offers no idempotency for messages: a repeat after a lost answer is a second text.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from nightlatch.adapters.delivery.http import HttpAnswer, HttpSender, refused
from nightlatch.adapters.delivery.options import TwilioOptions
from nightlatch.adapters.delivery.validity import seconds_left
from nightlatch.ports.delivery import Accepted, Callback, Forged, NotSent, Text
from nightlatch.ports.outbox import Receipt
from nightlatch.ports.world import Clock

NUMBERS_FAULT = {
    21211: "bad_number",
    21214: "bad_number",
    21217: "bad_number",
    21610: "unsubscribed",
    21614: "not_mobile",
    21617: "too_long",
}
"""Error codes that no other gateway and no repeat will mend."""

DELIVERED = "delivered"
FAILED = ("failed", "undelivered", "canceled")


class TwilioGateway:
    """See ``ports.delivery.SmsGateway`` and ``ReceiptReader``. ``receipts_url`` is this gateway's address with us."""

    def __init__(self, options: TwilioOptions, clock: Clock, *, sender: str | None, receipts_url: str) -> None:
        self.name = options.name
        self._options = options
        self._clock = clock
        self._sender = options.sender or sender
        self._receipts_url = receipts_url
        self._base = options.url.rstrip("/")
        self._url = f"{self._base}/2010-04-01/Accounts/{options.account_sid}/Messages.json"
        self._http = HttpSender(auth=(options.account_sid, options.auth_token))

    async def send(self, text: Text) -> Accepted:
        """Raises ``NotSent``."""
        answer = await self._http.post(self._url, form=self._form(text))
        said = answer.json()
        if not answer.good:
            raise _refusal(answer, said)
        sid = said.get("sid") if isinstance(said, dict) else None
        if not isinstance(sid, str):
            raise NotSent("unreadable_answer", uncertain=True)
        return Accepted(reference=sid)

    async def healthy(self) -> bool:
        """Whether the API answers."""
        return await self._http.answers(self._base)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    async def read(self, callback: Callback) -> Sequence[Receipt]:
        """See ``ReceiptReader``. Signed is the address that we gave, with every field of the form behind it, sorted.

        A replay repeats what was told of one text, and moves nothing.
        """
        fields = sorted(set(parse_qsl(callback.body.decode("utf-8", "replace"), keep_blank_values=True)))
        given = callback.headers.get("x-twilio-signature", "").encode("utf-8", "replace")
        if not any(hmac.compare_digest(given, self._signature(url, fields)) for url in _addresses(callback.url)):
            raise Forged("X-Twilio-Signature is wrong")
        told = dict(fields)
        reference, status = told.get("MessageSid"), told.get("MessageStatus")
        if not reference or (status != DELIVERED and status not in FAILED):
            return ()
        delivered = status == DELIVERED
        error = None if delivered else f"twilio_{told.get('ErrorCode') or status}"
        return (Receipt(gateway=self.name, reference=reference, delivered=delivered, error=error),)

    def _form(self, text: Text) -> dict[str, str]:
        form = {
            "To": text.to,
            "Body": text.text,
            "StatusCallback": self._receipts_url,
            "ValidityPeriod": str(seconds_left(text, self._clock)),
        }
        if self._options.messaging_service:
            form["MessagingServiceSid"] = self._options.messaging_service
        elif self._sender:
            form["From"] = self._sender
        return form

    def _signature(self, url: str, fields: Sequence[tuple[str, str]]) -> bytes:
        signed = url + "".join(name + value for name, value in fields)
        mac = hmac.new(self._options.auth_token.encode(), signed.encode(), hashlib.sha1)
        return base64.b64encode(mac.digest())


def _refusal(answer: HttpAnswer, said: Any) -> NotSent:
    code = said.get("code") if isinstance(said, dict) else None
    if isinstance(code, int) and code in NUMBERS_FAULT:
        return refused(answer, NUMBERS_FAULT[code], permanent=True)
    return refused(answer, f"twilio_{code if isinstance(code, int) else answer.status}")


def _addresses(url: str) -> Iterator[str]:
    """The address as it is, and with the port that goes without saying: Twilio signs now one, now the other."""
    yield url
    parts = urlsplit(url)
    if parts.port is None and parts.hostname:
        port = 443 if parts.scheme == "https" else 80
        yield urlunsplit(parts._replace(netloc=f"{parts.netloc}:{port}"))
