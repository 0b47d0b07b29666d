"""Strangers at the door of `nightlatch serve`: no key, no session, only a connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from nightlatch.cli import connections
from tests.support.installation import Installation, Server

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as people run it."""
    folder: Path = tmp_path_factory.mktemp("connections")
    with Installation(folder).serving() as running:
        yield running


def sent(server: Server, *parts: bytes) -> tuple[bytes, int]:
    """What is answered to these bytes, and how many of them were taken before the connection closed."""
    address = urlsplit(server.url)
    taken, answer = 0, b""
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=30) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                taken += len(part)
            while chunk := connection.recv(65536):
                answer += chunk
        except (ConnectionError, TimeoutError):
            pass
    return answer, taken


@pytest.mark.parametrize(
    "head",
    [
        HEALTH + b"x: ",
        HEALTH,
        b"GET /",
        b"POST /v1/verify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        b"POST /v1/verify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;x=",
    ],
)
def test_a_head_has_an_end(server: Server, head: bytes) -> None:
    """Sixty megabytes of it were kept in memory, of anybody, for as long as the connection stood."""
    endless = b"a" * 65536 if head != HEALTH else b"a: b\r\n" * 10_000
    _, taken = sent(server, head, *([endless] * 400))
    assert taken < 16 * 1024 * 1024
    answer, _ = sent(server, HEALTH + b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_large_head_and_a_long_body_are_served(server: Server) -> None:
    """Browsers with many cookies; bodies as long as they may be, also in small chunks and after one another."""
    cookies = b"cookie: " + b"a" * (connections.HEAD_LIMIT // 2) + b"\r\n"
    answer, _ = sent(server, HEALTH + cookies + b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    chunked = b"".join(b"400;x=y\r\n" + b"a" * 1024 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"
    post = b"POST /v1/verify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
    answer, _ = sent(server, (post + b"\r\n" + chunked) * 3 + post + b"connection: close\r\n\r\n" + chunked)
    assert answer.count(b"HTTP/1.1 401 ") == 4


async def hello(scope: Any, _receive: Any, send: Any) -> None:
    """The least that a server can serve."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("said", [b"", HEALTH, HEALTH + b"\r\n" + HEALTH])
async def test_who_does_not_finish_a_head_is_let_go(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Whoever holds connections open must at least ask for something."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    config = uvicorn.Config(hello, port=0, http=connections.BoundedProtocol, lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        async with asyncio.timeout(30):
            with suppress(ConnectionError):
                answers = await reader.read()
                assert answers.count(b"HTTP/1.1 204 ") == said.count(b"\r\n\r\n")
        writer.close()
    finally:
        server.should_exit = True
        await running
