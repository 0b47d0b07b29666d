"""A light client for load that follows what it is answered: HTTP/1.1, one request at a time on each connection."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

import msgspec

from benchmarks.load import request, whole_answer


class Answer(NamedTuple):
    """What the server said. ``at``: when the last of it came (``time.perf_counter``)."""

    status: int
    body: bytes
    at: float

    def json(self) -> dict[str, Any]:
        """The body, read."""
        return msgspec.json.decode(self.body, type=dict[str, Any])


class Connection(asyncio.Protocol):
    """One connection, made when it is first needed and again when the server has closed it. Answers have a
    content-length.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None

    async def ask(self, sent: bytes) -> Answer:
        """Send a request and wait for its answer. Raises ``ConnectionError`` when the server breaks off."""
        loop = asyncio.get_running_loop()
        if self._transport is None:
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        assert self._transport is not None
        self._answer = loop.create_future()
        self._transport.write(sent)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # one that writes

    def data_received(self, data: bytes) -> None:
        self._received += data
        if (whole := whole_answer(self._received)) is None:
            return
        head, body = whole
        self._received = b""
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(Answer(int(head[9:12]), body, time.perf_counter()))

    def connection_lost(self, _: Exception | None) -> None:
        self._transport, self._received = None, b""
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(ConnectionError("the server broke off a connection with a request on it"))


def post(path: str, body: dict[str, Any], *, key: str | None = None) -> bytes:
    """A POST as it goes over the wire."""
    return request("127.0.0.1", path, msgspec.json.encode(body), key=key)


def get(path: str, *, key: str) -> bytes:
    """A GET as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {key}\r\n\r\n".encode("ascii")
