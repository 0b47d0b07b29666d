"""Kannel's ``sendsms`` (User's Guide 1.4.5, "Using HTTP Interface to SMS Gateway" and "SMS Delivery Reports").

Posted, not fetched: so neither password nor code stands in an address that Kannel logs. Kannel names no message, so the
delivery report is asked for at an address that names ours, with a MAC that only the two of us can make.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import parse_qs, urlencode

from nightlatch.adapters.delivery.alphabet import in_gsm
from nightlatch.adapters.delivery.http import HttpSender, refused
from nightlatch.adapters.delivery.options import KannelOptions
from nightlatch.adapters.delivery.validity import minutes_left
from nightlatch.ports.delivery import Accepted, Callback, Forged, Text
from nightlatch.ports.outbox import Receipt
from nightlatch.ports.world import Clock

DELIVERED, NOT_DELIVERED, REJECTED = 1, 2, 16
"""Bits of ``dlr-mask``, and what ``%d`` becomes. 4 and 8 tell of queues on the way, which moves nothing here."""

ACCEPTED = 202
_UCS2 = "2"


class KannelGateway:
    """See ``ports.delivery.SmsGateway`` and ``ReceiptReader``. ``receipts_url`` is this gateway's address with us."""

    def __init__(self, options: KannelOptions, clock: Clock, *, sender: str | None, receipts_url: str) -> None:
        self.name = options.name
        self._options = options
        self._clock = clock
        self._sender = options.sender or sender
        self._receipts_url = receipts_url
        self._http = HttpSender()

    async def send(self, text: Text) -> Accepted:
        """Raises ``NotSent``."""
        answer = await self._http.post(self._options.url, content=text.text.encode(), headers=self._headers(text))
        if answer.status != ACCEPTED:
            # 403 our password, 400 our request, 503 no SMSC: nothing of it is the number's fault.
            raise refused(answer, f"kannel_{answer.status}")
        return Accepted(reference=text.id)

    async def healthy(self) -> bool:
        """Whether smsbox answers."""
        return await self._http.answers(self._options.url)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    async def read(self, callback: Callback) -> Sequence[Receipt]:
        """See ``ReceiptReader``. The MAC covers the text's id; what became of it is what Kannel fills in."""
        told = {name: values[0] for name, values in parse_qs(callback.query).items()}
        reference = told.get("id", "")
        if not hmac.compare_digest(told.get("mac", "").encode(), self._mac(reference).encode()):
            raise Forged("the MAC of the delivery report is wrong")
        status = told.get("status", "")
        if status not in (str(DELIVERED), str(NOT_DELIVERED), str(REJECTED)):
            return ()
        delivered = status == str(DELIVERED)
        error = None if delivered else f"kannel_dlr_{status}"
        return (Receipt(gateway=self.name, reference=reference, delivered=delivered, error=error),)

    def _headers(self, text: Text) -> dict[str, str]:
        headers = {
            "content-type": "text/plain; charset=UTF-8",
            "x-kannel-username": self._options.username,
            "x-kannel-password": self._options.password,
            "x-kannel-to": text.to,
            "x-kannel-validity": str(minutes_left(text, self._clock)),
            "x-kannel-dlr-mask": str(DELIVERED | NOT_DELIVERED | REJECTED),
            "x-kannel-dlr-url": self._report_url(text),
        }
        if self._sender:
            headers["x-kannel-from"] = self._sender
        if self._options.smsc:
            headers["x-kannel-smsc"] = self._options.smsc
        if not in_gsm(text.text):
            headers["x-kannel-coding"] = _UCS2
        return headers

    def _report_url(self, text: Text) -> str:
        """With ``%d`` for Kannel to fill in."""
        named = urlencode({"id": text.id, "mac": self._mac(text.id)})
        return f"{self._receipts_url}?{named}&status=%d"

    def _mac(self, reference: str) -> str:
        said = f"nightlatch receipt {self.name} {reference}".encode()
        return hmac.new(self._options.password.encode(), said, hashlib.sha256).hexdigest()
