"""Addresses, cookies, headers, bodies: what the API and the pages share."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any, cast

import pytest
from litestar.types import Scope

from nightlatch.domain.errors import NotFound, Throttled, Unauthenticated, Unavailable
from nightlatch.web.common.address import client_address
from nightlatch.web.common.body import Disconnected, check_media_type, read_body
from nightlatch.web.common.closing import Closing
from nightlatch.web.common.cookies import Cookies
from nightlatch.web.common.problems import (
    MethodNotAllowed,
    TooLarge,
    UnsupportedMediaType,
    render_problem,
)
from nightlatch.web.common.security_headers import SecurityHeaders, content_security_policy
from nightlatch.web.settings import WebSettings

LOOPBACK = WebSettings(public_url="http://localhost:8080")
PUBLIC = WebSettings(public_url="https://mfa.example")
PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def scope_of(peer: str | None, *forwarded: str, cookie: str | None = None) -> Scope:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    if cookie is not None:
        headers.append((b"cookie", cookie.encode()))
    return cast("Scope", {"client": (peer, 1) if peer else None, "headers": headers})


@pytest.mark.requirement("X8")
@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", (), "192.0.2.7"),
        ("192.0.2.7", ("203.0.113.9",), "192.0.2.7"),
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.1, 203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.1, 203.0.113.9, 10.0.0.2",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.1", "203.0.113.9"), "203.0.113.9"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9:4711, 10.0.0.3",), "10.0.0.3"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("::ffff:10.0.0.1", ("::ffff:203.0.113.9",), "203.0.113.9"),
        ("fd00::1", ("2001:db8::7",), "2001:db8::7"),
        ("fe80::1%eth0", (), "fe80::1"),
        (None, ("203.0.113.9",), "::"),
    ],
)
def test_only_trusted_proxies_say_who_asks(peer: str | None, forwarded: tuple[str, ...], expected: str) -> None:
    """What a client writes into the header itself is never believed."""
    assert client_address(scope_of(peer, *forwarded), PROXIES) == expected


@pytest.mark.requirement("X8")
def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert client_address(scope_of("10.0.0.1", "203.0.113.9"), ()) == "10.0.0.1"


@pytest.mark.requirement("X2")
def test_cookies_belong_to_this_host_over_https() -> None:
    written = Cookies(PUBLIC).set("portal", "abc", max_age=60)
    assert written == "__Host-portal=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"


@pytest.mark.requirement("X2")
def test_a_cookie_planted_beside_ours_makes_both_void() -> None:
    cookies = Cookies(PUBLIC)
    assert cookies.read(scope_of("192.0.2.1", cookie="a=1; __Host-portal=abc"), "portal") == "abc"
    assert cookies.read(scope_of("192.0.2.1", cookie="portal=abc"), "portal") is None
    assert cookies.read(scope_of("192.0.2.1", cookie="__Host-portal=a; __Host-portal=b"), "portal") is None


def test_on_loopback_cookies_work_without_https() -> None:
    cookies = Cookies(LOOPBACK)
    assert "Secure" not in cookies.set("portal", "abc")
    assert cookies.read(scope_of("127.0.0.1", cookie="portal=abc"), "portal") == "abc"
    assert "Max-Age=0" in cookies.clear("portal")


@pytest.mark.requirement("X3", "X4")
def test_every_answer_gets_the_strict_headers_that_it_did_not_bring() -> None:
    completed = dict(SecurityHeaders(PUBLIC).completed([(b"cache-control", b"public, max-age=300")]))
    assert completed[b"cache-control"] == b"public, max-age=300"
    assert completed[b"referrer-policy"] == b"no-referrer"
    assert completed[b"x-content-type-options"] == b"nosniff"
    assert b"default-src 'none'" in completed[b"content-security-policy"]
    assert b"max-age=" in completed[b"strict-transport-security"]
    assert dict(SecurityHeaders(LOOPBACK).completed([])).get(b"strict-transport-security") is None
    assert dict(SecurityHeaders(LOOPBACK).completed([]))[b"cache-control"] == b"no-store"


@pytest.mark.requirement("X3")
def test_the_policy_of_pages_allows_nothing_inline_and_no_frame() -> None:
    policy = content_security_policy(form_action=("https://bank.example",))
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://bank.example" in policy
    assert "unsafe" not in policy


def rendered(refusal: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    status, headers, body = render_problem(refusal, "req_1", "https://mfa.example")
    return status, dict(headers), body


def test_refusals_say_what_to_do_next() -> None:
    assert rendered(Throttled(retry_after=7))[1][b"retry-after"] == b"7"
    assert rendered(Unavailable())[1][b"retry-after"] == b"1"
    assert rendered(MethodNotAllowed(extra={"allow": "GET"}))[1][b"allow"] == b"GET"
    assert rendered(Unauthenticated())[1][b"www-authenticate"] == b'Bearer realm="nightlatch"'
    status, headers, body = rendered(NotFound())
    assert (status, headers[b"content-type"]) == (404, b"application/problem+json")
    assert b'"type":"https://mfa.example/docs/errors/not_found"' in body


class Sender:
    """The server's side of a request: messages one after another, then silence."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)

    async def __call__(self) -> Any:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_read_whole() -> None:
    assert await read_body({}, Sender(part(b"ab", more=True), part(b"c", more=True), part(b"")), 3) == b"abc"


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    with pytest.raises(TooLarge):
        await read_body({b"content-length": b"4"}, Sender(), 3)


async def test_a_body_that_grows_too_large_is_cut_off() -> None:
    with pytest.raises(TooLarge):
        await read_body({}, Sender(part(b"ab", more=True), part(b"cd", more=True)), 3)


async def test_a_client_that_leaves_within_its_body_is_noticed() -> None:
    with pytest.raises(Disconnected):
        await read_body({}, Sender(part(b"ab", more=True), {"type": "http.disconnect"}), 3)


@pytest.mark.parametrize("kind", [b"application/json", b"application/json; charset=UTF-8", b"Application/JSON"])
def test_json_is_accepted_as_people_write_it(kind: bytes) -> None:
    check_media_type({b"content-type": kind}, ("application/json",))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"content-type": b"text/plain"},
        {b"content-type": b"application/x-www-form-urlencoded"},
        {b"content-type": b"application/json; charset=utf-16"},
        {b"content-type": b"application/json", b"content-encoding": b"gzip"},
    ],
)
def test_other_types_are_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_media_type(headers, ("application/json",))


async def never() -> str:
    await asyncio.Event().wait()
    return ""


async def soon() -> str:
    return "decided"


async def test_a_waiter_gets_the_result() -> None:
    assert await Closing().attend(soon(), Sender()) == "decided"


async def test_a_waiter_stops_when_its_client_leaves() -> None:
    with pytest.raises(Disconnected):
        await Closing().attend(never(), Sender({"type": "http.disconnect"}))


async def test_a_waiter_stops_when_the_server_stops() -> None:
    closing = Closing()
    waiting = asyncio.ensure_future(closing.attend(never(), Sender()))
    await asyncio.sleep(0)
    closing.begin()
    assert await asyncio.wait_for(waiting, 1) is None


async def test_the_work_of_a_cancelled_waiter_is_cancelled_too() -> None:
    over = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            over.set()

    waiting = asyncio.ensure_future(Closing().attend(work(), Sender()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert over.is_set()
