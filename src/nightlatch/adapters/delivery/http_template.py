"""Any other HTTP API, as the settings describe it.

Fields are a structure, not text with holes: what stands for a hole is encoded as JSON or as a form with everything around
it, so no text and no number can become syntax.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from nightlatch.adapters.delivery.http import HttpSender, refused
from nightlatch.adapters.delivery.options import HttpOptions
from nightlatch.adapters.delivery.validity import seconds_left
from nightlatch.domain.outside import Unreadable, read_json
from nightlatch.ports.delivery import Accepted, Callback, Forged, NotSent, Text
from nightlatch.ports.outbox import Receipt
from nightlatch.ports.world import Clock

HOLES = ("to", "text", "sender", "id", "seconds", "receipts", "token")
SIGNATURE = "nightlatch-signature"

_HOLE = re.compile(r"\{(\w+)\}")


class BadTemplate(Exception):
    """The settings describe no request; the text says why."""


class _Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt: ``id`` is the reference, ours unless ``reference`` names another."""

    id: str
    status: Literal["delivered", "failed"]
    error: str | None = None


class HttpTemplateGateway:
    """See ``ports.delivery.SmsGateway`` and ``ReceiptReader``. ``receipts_url`` is this gateway's address with us."""

    def __init__(self, options: HttpOptions, clock: Clock, *, sender: str | None, receipts_url: str) -> None:
        self.name = options.name
        self._options = options
        self._clock = clock
        self._fixed = {
            "sender": options.sender or sender or "",
            "receipts": receipts_url,
            "token": options.token or "",
        }
        _check(options)
        self._http = HttpSender()

    async def send(self, text: Text) -> Accepted:
        """Raises ``NotSent``."""
        values = self._fixed | {
            "to": text.to,
            "text": text.text,
            "id": text.id,
            "seconds": str(seconds_left(text, self._clock)),
        }
        headers = {name: _filled_text(value, values) for name, value in self._options.headers.items()}
        fields = _filled(self._options.fields, values)
        if self._options.format == "form":
            form = {name: str(value) for name, value in fields.items()}
            answer = await self._http.post(self._options.url, form=form, headers=headers)
        else:
            headers = {"content-type": "application/json"} | headers
            answer = await self._http.post(self._options.url, content=msgspec.json.encode(fields), headers=headers)
        if not answer.good:
            raise refused(answer, f"http_{answer.status}")
        return self._accepted(text, answer.json())

    async def healthy(self) -> bool:
        """Whether something answers there."""
        return await self._http.answers(self._options.url)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    async def read(self, callback: Callback) -> Sequence[Receipt]:
        """See ``ReceiptReader``. Signed is the body: ``Nightlatch-Signature: sha256=`` and HMAC-SHA256 in hexadecimal.

        A replay repeats what was told of one text, and moves nothing.
        """
        secret = self._options.receipt_secret
        given = callback.headers.get(SIGNATURE, "").lower().encode("utf-8", "replace")
        expected = hmac.new((secret or "").encode(), callback.body, hashlib.sha256).hexdigest()
        if secret is None or not hmac.compare_digest(given, f"sha256={expected}".encode()):
            raise Forged("Nightlatch-Signature is wrong")
        try:
            told = read_json(callback.body, _Told)
        except Unreadable:
            raise Forged("the receipt cannot be read") from None
        delivered = told.status == "delivered"
        error = None if delivered else told.error or "failed"
        return (Receipt(gateway=self.name, reference=told.id, delivered=delivered, error=error),)

    def _accepted(self, text: Text, said: Any) -> Accepted:
        for path, expected in self._options.success.items():
            if _scalar(_at(said, path)) != expected:
                raise NotSent("refused")
        if self._options.reference is None:
            return Accepted(reference=text.id)
        reference = _scalar(_at(said, self._options.reference))
        if reference is None:
            raise NotSent("unreadable_answer", uncertain=True)
        return Accepted(reference=reference)


def _check(options: HttpOptions) -> None:
    used = set(_holes_in(options.fields)) | set(_holes_in(options.headers))
    if unknown := sorted(used - set(HOLES)):
        raise BadTemplate(f"nothing is known by {{{unknown[0]}}}: there are {', '.join(HOLES)}")
    if missing := sorted({"to", "text"} - set(_holes_in(options.fields))):
        raise BadTemplate(f"fields must hold {{{missing[0]}}}")
    if "token" in used and options.token is None:
        raise BadTemplate("{token} is used, and token is not given")
    if options.format == "form" and any(isinstance(value, dict | list) for value in options.fields.values()):
        raise BadTemplate("a form has no tables inside")


def _holes_in(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return _HOLE.findall(value)
    if isinstance(value, dict):
        value = list(value.values())
    return [hole for part in value for hole in _holes_in(part)] if isinstance(value, list) else ()


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _filled_text(value, values)
    if isinstance(value, dict):
        return {name: _filled(part, values) for name, part in value.items()}
    return [_filled(part, values) for part in value] if isinstance(value, list) else value


def _filled_text(text: str, values: Mapping[str, str]) -> str:
    """In one pass: what fills a hole is never looked at for holes of its own."""
    return _HOLE.sub(lambda hole: values[hole[1]], text)


def _at(said: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(said, dict):
            said = said.get(step)
        elif isinstance(said, list) and step.isdigit() and int(step) < len(said):
            said = said[int(step)]
        else:
            return None
    return said


def _scalar(value: Any) -> str | None:
    """Text, number or truth as it is written in JSON, text without its quotes; None for anything else."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, bool | int | float) else None
