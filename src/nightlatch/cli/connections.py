"""What a connection may cost before anybody knows who calls: uvicorn itself sets no bound to a request's head."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 64 * 1024
"""Bytes of request line and headers; ours are a few hundred, and those of browsers with many cookies some thousands."""

HEAD_SECONDS = 20.0
"""How long a head may trickle, also the first one of a connection that says nothing."""

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose heads, chunk extensions and trailers are bounded in size, and heads in time too."""

    _idle = 0
    """Bytes since the parser last told of a head, a part of a body, or an end."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A head is awaited from the first moment."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Close once too much came that is no body."""
        self._idle += len(data)
        super().data_received(data)
        if self._idle > HEAD_LIMIT and not self.transport.is_closing():
            cycle: Any = self.cycle  # none before the first request
            if cycle is None or cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Another head begins."""
        super().on_message_begin()
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head came in time."""
        self._idle = 0
        self._head_came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """How much body is taken, and for how long, its reader decides."""
        self._idle = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """What follows is another request."""
        self._idle = 0
        super().on_message_complete()

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._late)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        transport: Any = self.transport
        if not transport.is_closing():
            transport.abort()
