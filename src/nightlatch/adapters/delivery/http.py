"""Requests to gateways over HTTP: bounded in time and size, never redirected, their certificates checked.

What matters most is what a failure means. Where the request certainly was not taken, the next gateway may have the text
at once; where its answer was lost, it may have been sent already (``NotSent.uncertain``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from nightlatch.domain.outside import Unreadable, read_any_json
from nightlatch.ports.delivery import NotSent

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
LONGEST_ANSWER = 64 * 1024
CONNECTIONS = 64

# Proxies answer so when they do not know what became of a request that they passed on.
_LOST = (502, 504)
_BUSY = 429

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Status and body of an answer, whatever they say."""

    status: int
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the status says so."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body, decoded; None where it is no JSON."""
        try:
            return read_any_json(self.body)
        except Unreadable:
            return None


class HttpSender:
    """A client for one gateway. It follows no redirect: the address is the operator's, and a text goes nowhere else."""

    def __init__(
        self,
        *,
        auth: httpx.Auth | tuple[str, str] | None = None,
        answer: float = ANSWER_SECONDS,
        http2: bool = False,
    ) -> None:
        # Each read may take that long; a whole answer, however it trickles, no longer either.
        self._within = CONNECT_SECONDS + answer
        self._client = httpx.AsyncClient(
            auth=auth,
            headers={"Accept-Encoding": "identity"},
            http1=not http2,
            http2=http2,
            follow_redirects=False,
            timeout=httpx.Timeout(answer, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        )

    async def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Post a form, or bytes. Raises ``NotSent`` where no answer came, or none that can be read."""
        try:
            async with (
                asyncio.timeout(self._within),
                self._client.stream("POST", url, data=form, content=content, headers=headers) as response,
            ):
                body = await _bounded(response)
        except _NEVER_SENT as error:
            raise NotSent(_word(error)) from None
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            raise NotSent(_word(error), uncertain=True) from None
        return HttpAnswer(status=response.status_code, body=body)

    async def get(self, url: str) -> HttpAnswer:
        """Read something. Raises ``NotSent`` where no answer came."""
        try:
            async with asyncio.timeout(self._within), self._client.stream("GET", url) as response:
                body = await _bounded(response)
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL, TimeoutError) as error:
            raise NotSent(_word(error)) from None
        return HttpAnswer(status=response.status_code, body=body)

    async def answers(self, url: str) -> bool:
        """Whether something answers there, whatever it says; nothing is sent to anybody."""
        try:
            await self.get(url)
        except NotSent:
            return False
        return True

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def refused(answer: HttpAnswer, reason: str, *, permanent: bool = False) -> NotSent:
    """Why a text was not taken, from an answer that is not good."""
    if answer.status == _BUSY:
        return NotSent("throttled")
    return NotSent(reason, permanent=permanent, uncertain=answer.status in _LOST)


async def _bounded(response: httpx.Response) -> bytes:
    """The body, cut off where no answer of a gateway is that long.

    As it came: one that is compressed all the same would be as large as it likes before it is cut.
    """
    body = b""
    async for part in response.aiter_raw():
        body += part
        if len(body) > LONGEST_ANSWER:
            break
    return body[:LONGEST_ANSWER]


def _word(error: Exception) -> str:
    """A word without address or text: what libraries say may quote the request (K3)."""
    return "timeout" if isinstance(error, httpx.TimeoutException | TimeoutError) else "unreachable"
