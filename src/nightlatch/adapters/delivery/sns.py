"""Amazon SNS (API reference 2010-03-31: Publish; "Publishing SMS messages to a mobile phone").

The request is signed with AWS Signature Version 4 by httpx-aws-auth. SNS offers no idempotency for telephone numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nightlatch.adapters.delivery.http import HttpAnswer, HttpSender, refused
from nightlatch.adapters.delivery.options import SnsOptions
from nightlatch.adapters.delivery.sns_certificates import Fetch
from nightlatch.adapters.delivery.sns_receipts import SnsReceipts, fetch_from_amazon
from nightlatch.ports.delivery import Accepted, Callback, NotSent, Text
from nightlatch.ports.outbox import Receipt

SERVICE = "sns"
VERSION = "2010-03-31"

_MESSAGE_ID = re.compile(rb"<MessageId>([0-9A-Za-z-]{1,100})</MessageId>")
_CODE = re.compile(rb"<Code>([0-9A-Za-z.]{1,60})</Code>")
_NUMBERS_FAULT = b"PhoneNumber"
_THROTTLED = ("Throttling", "ThrottledException", "Throttled")


class SnsGateway:
    """See ``ports.delivery.SmsGateway`` and ``ReceiptReader``.

    SNS writes what became of a text to CloudWatch Logs; who forwards that log to a topic of theirs, with our address
    subscribed to it, has receipts.
    """

    def __init__(self, options: SnsOptions, *, sender: str | None, fetch: Fetch = fetch_from_amazon) -> None:
        # An extra: who does not use this gateway need not have its library.
        from httpx_aws_auth import AwsCredentials, AwsSigV4Auth

        self.name = options.name
        self._sender = options.sender or sender
        self._url = options.url or f"https://{SERVICE}.{options.region}.amazonaws.com/"
        credentials = AwsCredentials(access_key=options.access_key_id, secret_key=options.secret_access_key)
        self._http = HttpSender(auth=AwsSigV4Auth(credentials=credentials, region=options.region, service=SERVICE))
        self._receipts = SnsReceipts(options.name, options.receipts_topic, fetch)

    async def send(self, text: Text) -> Accepted:
        """Raises ``NotSent``."""
        answer = await self._http.post(self._url, form=self._form(text))
        if not answer.good:
            raise _refusal(answer)
        found = _MESSAGE_ID.search(answer.body)
        if found is None:
            raise NotSent("unreadable_answer", uncertain=True)
        return Accepted(reference=found[1].decode())

    async def healthy(self) -> bool:
        """Whether the API answers."""
        return await self._http.answers(self._url)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    async def read(self, callback: Callback) -> Sequence[Receipt]:
        """See ``ReceiptReader``."""
        return await self._receipts.read(callback)

    def _form(self, text: Text) -> dict[str, str]:
        form = {"Action": "Publish", "Version": VERSION, "PhoneNumber": text.to, "Message": text.text}
        attributes = {"AWS.SNS.SMS.SMSType": "Transactional"}
        if self._sender:
            number = self._sender.startswith("+")
            attributes["AWS.MM.SMS.OriginationNumber" if number else "AWS.SNS.SMS.SenderID"] = self._sender
        for place, (name, value) in enumerate(attributes.items(), start=1):
            entry = f"MessageAttributes.entry.{place}"
            form |= {f"{entry}.Name": name, f"{entry}.Value.DataType": "String", f"{entry}.Value.StringValue": value}
        return form


def _refusal(answer: HttpAnswer) -> NotSent:
    found = _CODE.search(answer.body)
    code = found[1].decode() if found else str(answer.status)
    if code in _THROTTLED:
        return NotSent("throttled")
    if code == "InvalidParameter" and _NUMBERS_FAULT in answer.body:
        return refused(answer, "bad_number", permanent=True)
    return refused(answer, f"sns_{code}")
