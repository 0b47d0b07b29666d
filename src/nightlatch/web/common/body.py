"""Reading a request's body: no more than is accepted, of no other type, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from litestar.types import Receive

from nightlatch.web.common.problems import TooLarge, TooSlow, UnsupportedMediaType

JSON = "application/json"

BODY_SECONDS = 20
"""How long a body may trickle; the usual one is there with its headers and is never timed."""


class Disconnected(Exception):
    """The client went away; nobody is left to answer."""


def media_type_of(headers: Mapping[bytes, bytes]) -> str:
    """The type of the body without its parameters, in lower case; empty where none is named."""
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def check_media_type(headers: Mapping[bytes, bytes], accepted: tuple[str, ...]) -> None:
    """Raises ``UnsupportedMediaType`` unless the body is of an accepted type, in UTF-8."""
    raw = headers.get(b"content-type", b"")
    if raw == b"application/json" and JSON in accepted and b"content-encoding" not in headers:
        return
    charset = _charset_of(raw.decode("latin-1"))
    encoded = headers.get(b"content-encoding", b"identity").lower() != b"identity"
    if media_type_of(headers) not in accepted or charset not in (None, "utf-8") or encoded:
        raise UnsupportedMediaType(f"Send this body as {' or '.join(accepted)}, in UTF-8 and not compressed.")


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """The whole body. Raises ``TooLarge`` as soon as it is known, ``TooSlow``, ``Disconnected``."""
    if _announced(headers) > limit:
        raise _too_large(limit)
    body, more = await _next_part(receive)
    if more:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_rest(body, receive, limit)
        except TimeoutError:
            raise TooSlow from None
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def _read_rest(first: bytes, receive: Receive, limit: int) -> bytes:
    parts = [first]
    length = len(first)
    while length <= limit:
        part, more = await _next_part(receive)
        parts.append(part)
        length += len(part)
        if not more:
            break
    return b"".join(parts)


async def _next_part(receive: Receive) -> tuple[bytes, bool]:
    """A part of the body, and whether more follow; either may be left out of the message."""
    message: Mapping[str, Any] = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)


def _announced(headers: Mapping[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


def _charset_of(content_type: str) -> str | None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.")
