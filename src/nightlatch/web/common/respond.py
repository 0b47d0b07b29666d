"""The ASGI side of an answer."""

from __future__ import annotations

from typing import cast

from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent, HTTPScope, Scope, Send

from nightlatch.web.common.problems import Headers


def method_of(scope: Scope) -> str:
    """The method of a request; HTTP is all that comes through to an endpoint or a page."""
    return str(cast("HTTPScope", scope)["method"])


async def respond(scope: Scope, send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send one whole answer, without its body for HEAD."""
    start: HTTPResponseStartEvent = {
        "type": "http.response.start",
        "status": status,
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
    }
    content: HTTPResponseBodyEvent = {
        "type": "http.response.body",
        "body": b"" if method_of(scope) == "HEAD" else body,
        "more_body": False,
    }
    await send(start)
    await send(content)
