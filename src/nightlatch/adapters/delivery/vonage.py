"""Vonage's SMS API ("Troubleshooting SMS", "Delivery receipts", "Signing messages").

It offers no idempotency. ``client-ref`` carries our id, for whoever looks into its dashboard.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from nightlatch.adapters.delivery.alphabet import in_gsm
from nightlatch.adapters.delivery.http import HttpSender, refused
from nightlatch.adapters.delivery.options import VonageOptions
from nightlatch.adapters.delivery.validity import seconds_left
from nightlatch.domain.outside import Unreadable, read_json
from nightlatch.ports.delivery import Accepted, Callback, Forged, NotSent, Text
from nightlatch.ports.outbox import Receipt
from nightlatch.ports.world import Clock

OK = "0"
THROTTLED = "1"
NUMBERS_FAULT = {"6": "bad_number", "7": "barred", "12": "too_long", "33": "deactivated"}
"""Statuses that no other gateway and no repeat will mend."""

LEAST_SECONDS = 20
"""The shortest ``ttl``."""

DELIVERED = "delivered"
FAILED = ("failed", "rejected", "expired")
_FORM = "application/x-www-form-urlencoded"


class VonageGateway:
    """See ``ports.delivery.SmsGateway`` and ``ReceiptReader``. ``receipts_url`` is this gateway's address with us."""

    def __init__(self, options: VonageOptions, clock: Clock, *, sender: str | None, receipts_url: str) -> None:
        self.name = options.name
        self._options = options
        self._clock = clock
        self._sender = options.sender or sender
        self._receipts_url = receipts_url
        self._base = options.url.rstrip("/")
        self._http = HttpSender()

    async def send(self, text: Text) -> Accepted:
        """Raises ``NotSent``. Long texts come back as several messages; the first one's id is the reference."""
        answer = await self._http.post(f"{self._base}/sms/json", form=self._form(text))
        if not answer.good:
            raise refused(answer, f"vonage_http_{answer.status}")
        messages = _messages(answer.json())
        for message in messages:
            if (status := str(message.get("status"))) != OK:
                raise _refusal(status, begun=message is not messages[0])
        reference = messages[0].get("message-id") if messages else None
        if not isinstance(reference, str):
            raise NotSent("unreadable_answer", uncertain=True)
        return Accepted(reference=reference)

    async def healthy(self) -> bool:
        """Whether the API answers."""
        return await self._http.answers(self._base)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    async def read(self, callback: Callback) -> Sequence[Receipt]:
        """See ``ReceiptReader``. Signed are all parameters, sorted, by a secret of the account.

        A replay repeats what was told of one text, and moves nothing.
        """
        told = _parameters(callback)
        given = told.pop("sig", "").lower().encode("utf-8", "replace")
        if not self._options.signature_secret or not hmac.compare_digest(given, self._signature(told).encode()):
            raise Forged("sig is wrong")
        reference, status = told.get("messageId"), told.get("status")
        if not reference or (status != DELIVERED and status not in FAILED):
            return ()
        delivered = status == DELIVERED
        error = None if delivered else f"vonage_{told.get('err-code') or status}"
        return (Receipt(gateway=self.name, reference=reference, delivered=delivered, error=error),)

    def _form(self, text: Text) -> dict[str, str]:
        form = {
            "api_key": self._options.api_key,
            "api_secret": self._options.api_secret,
            "to": text.to.removeprefix("+"),
            "text": text.text,
            "client-ref": text.id,
            "ttl": str(1000 * seconds_left(text, self._clock, least=LEAST_SECONDS)),
        }
        if self._sender:
            form["from"] = self._sender.removeprefix("+")
        if not in_gsm(text.text):
            form["type"] = "unicode"
        if self._options.signature_secret:
            form |= {"status-report-req": "1", "callback": self._receipts_url}
        return form

    def _signature(self, told: Mapping[str, str]) -> str:
        """``&name=value`` for each, sorted, with ``&`` and ``=`` in values as ``_``."""
        signed = "".join(f"&{name}={told[name].replace('&', '_').replace('=', '_')}" for name in sorted(told))
        secret = (self._options.signature_secret or "").encode()
        return hmac.new(secret, signed.encode(), self._options.signature_method).hexdigest()


def _refusal(status: str, *, begun: bool) -> NotSent:
    """``begun``: parts of the text were taken before."""
    if status == THROTTLED and not begun:
        return NotSent("throttled")
    return NotSent(NUMBERS_FAULT.get(status, f"vonage_{status}"), permanent=status in NUMBERS_FAULT, uncertain=begun)


def _messages(said: Any) -> list[dict[str, Any]]:
    messages = said.get("messages") if isinstance(said, dict) else None
    return [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


def _parameters(callback: Callback) -> dict[str, str]:
    """However the account is set to send them: in the query, as a form or as JSON."""
    if not callback.body:
        return dict(parse_qsl(callback.query, keep_blank_values=True))
    if callback.headers.get("content-type", "").startswith(_FORM):
        return dict(parse_qsl(callback.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        said = read_json(callback.body, dict[str, str | int | float])
    except Unreadable:
        raise Forged("the receipt cannot be read") from None
    return {name: str(value) for name, value in said.items()}
