"""Who may forbid a text, asked over HTTP: a number look-up, a SIM-swap service (S8).

We post ``{"number": "+49…"}`` and are answered ``{"send": true}``, or ``{"send": false, "reason": "sim_swap"}``. Anything else
is a "no" as well: late, unreachable, unreadable, another status.
"""

from __future__ import annotations

import logging
import re

import msgspec

from nightlatch.adapters.delivery.http import HttpSender
from nightlatch.domain.outside import Unreadable, read_json
from nightlatch.ports.delivery import NotSent

SECONDS = 3.0
REFUSED = "refused"

_log = logging.getLogger("nightlatch.sms")

_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    send: bool
    reason: str = REFUSED


class HttpVeto:
    """See ``ports.delivery.SmsVeto``."""

    def __init__(self, url: str, token: str | None = None, *, seconds: float = SECONDS) -> None:
        self._url = url
        self._headers = {"content-type": "application/json"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"
        self._http = HttpSender(answer=seconds)

    async def objection(self, number: str) -> str | None:
        """Why nothing may be sent to this number, in a word; None where the service said that it may."""
        reason = await self._reason(number)
        if reason is not None:
            _log.warning("a text was vetoed: %s", reason)
        return reason

    async def _reason(self, number: str) -> str | None:
        try:
            answer = await self._http.post(
                self._url, content=msgspec.json.encode({"number": number}), headers=self._headers
            )
        except NotSent as error:
            return f"veto_{error.reason}"
        if answer.status != 200:
            return f"veto_{answer.status}"
        try:
            said = read_json(answer.body, _Said)
        except Unreadable:
            return "veto_unreadable"
        if said.send:
            return None
        return said.reason if _WORD.fullmatch(said.reason) else REFUSED

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()
