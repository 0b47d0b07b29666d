"""A service on this machine that keeps every request and answers as it is told, over HTTP/1.1 or HTTP/2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded


@dataclass
class Answer:
    """What is answered."""

    status: int = 201
    body: bytes = b""
    encoding: str = "identity"


@dataclass
class Seen:
    """One request. Header names are in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """``answer`` is for every path that ``by_path`` does not name."""

    url: str = ""
    answer: Answer = field(default_factory=Answer)
    by_path: dict[str, Answer] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)
    answering: Callable[[Seen], Answer] | None = None
    """Decides on each request, in the place of ``by_path`` and ``answer``."""

    def take(self, seen: Seen) -> Answer:
        """Keep a request and say what to answer."""
        self.requests.append(seen)
        if self.answering is not None:
            return self.answering(seen)
        return self.by_path.get(seen.path.partition("?")[0], self.answer)


@asynccontextmanager
async def listening(*, http2: bool = False) -> AsyncIterator[Listener]:
    """Listen on a free port of loopback until the end."""
    listener = Listener()
    serve = _serve_two if http2 else _serve_one

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(listener, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    listener.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield listener
    finally:
        server.close()


async def _serve_one(listener: Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        answer = listener.take(Seen(method, path, headers, body))
        about = f"Content-Length: {len(answer.body)}\r\nContent-Encoding: {answer.encoding}\r\n"
        writer.write(f"HTTP/1.1 {answer.status} X\r\n{about}\r\n".encode() + answer.body)
        await writer.drain()


async def _serve_two(listener: Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    streams: dict[int, Seen] = {}
    while True:
        writer.write(connection.data_to_send())
        await writer.drain()
        data = await reader.read(65_535)
        if not data:
            return
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                headers = {str(name): str(value) for name, value in event.headers or ()}
                streams[event.stream_id] = Seen(headers.get(":method", ""), headers.get(":path", ""), headers, b"")
            elif isinstance(event, DataReceived):
                streams[event.stream_id].body += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                answer = listener.take(streams.pop(event.stream_id))
                connection.send_headers(event.stream_id, [(":status", str(answer.status))], end_stream=not answer.body)
                if answer.body:
                    connection.send_data(event.stream_id, answer.body, end_stream=True)
