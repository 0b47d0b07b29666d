"""Any HTTP API, lost and endless answers, and the veto: real requests to servers that misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import tracemalloc
import zlib
from typing import Any

import pytest

from nightlatch.adapters.delivery import http
from nightlatch.adapters.delivery.http_template import BadTemplate
from nightlatch.adapters.delivery.veto import HttpVeto
from nightlatch.ports.outbox import Receipt
from tests.support.kept import free_port
from tests.support.listener import Answer, Listener, listening
from tests.support.sms_gateways import (
    HOSTILE,
    NUMBER,
    RECEIPTS,
    a_text,
    forged,
    read,
    refusal,
    template,
    twilio,
    vonage,
)
from tests.support.sms_services import Request


async def test_a_template_becomes_json_whatever_the_text_holds() -> None:
    """Nested, with numbers left as they are; nothing that fills a hole is looked at again."""
    fields = {
        "messages": [{"to": "{to}", "body": "{text}", "ref": "{id}", "n": 1}], "from": "{sender}", "cb": "{receipts}",
    }  # fmt: skip
    async with listening() as listener:
        listener.answer = Answer(200, b'{"messages": [{"id": 42, "status": "ok"}]}')
        gateway = template(
            listener.url, fields=fields, headers={"Authorization": "Key {token}"}, token="t0ken",
            reference="messages.0.id", success={"messages.0.status": "ok"},
        )  # fmt: skip
        assert (await gateway.send(a_text(HOSTILE))).reference == "42"
    (seen,) = listener.requests
    assert (seen.headers["authorization"], seen.headers["content-type"]) == ("Key t0ken", "application/json")
    assert json.loads(seen.body) == {
        "messages": [{"to": NUMBER, "body": HOSTILE, "ref": "msg_1", "n": 1}], "from": "Meridian", "cb": RECEIPTS,
    }  # fmt: skip


async def test_a_template_becomes_a_form_whatever_the_text_holds() -> None:
    """One field stays one field."""
    async with listening() as listener:
        fields = {"to": "{to}", "text": "{text}", "life": "{seconds}"}
        accepted = await template(listener.url, format="form", fields=fields).send(a_text(HOSTILE))
    (seen,) = listener.requests
    form = Request("POST", "/", {}, seen.body).form
    assert (form["to"], form["text"], set(form)) == (NUMBER, HOSTILE, set(fields))
    assert accepted.reference == "msg_1"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"fields": {"to": "{to}", "text": "{txt}"}}, "{txt}"),
        ({"fields": {"to": "{to}"}}, "{text}"),
        ({"headers": {"a": "{token}"}}, "token is not given"),
        ({"format": "form", "fields": {"a": ["{to}"], "text": "{text}"}}, "no tables"),
    ],
)
def test_a_template_that_describes_no_request_is_refused(options: dict[str, Any], reason: str) -> None:
    """At the start, not at the first text."""
    with pytest.raises(BadTemplate, match=reason.replace("{", r"\{").replace("}", r"\}")):
        template("https://sms.example", **options)


async def test_what_an_api_must_say_beside_its_status() -> None:
    """Otherwise it did not take it; without the reference that was promised, nobody knows."""
    async with listening() as listener:
        gateway = template(listener.url, success={"ok": "true"}, reference="id")
        for body, expected in (
            (b'{"ok": false, "id": "1"}', ("refused", False, False)),
            (b"<html>", ("refused", False, False)),
            (b'{"ok": true}', ("unreadable_answer", False, True)),
        ):
            listener.answer = Answer(200, body)
            assert await refusal(gateway) == expected
        for status, expected in ((302, ("http_302", False, False)), (429, ("throttled", False, False))):
            listener.answer = Answer(status, b"{}")
            assert await refusal(gateway) == expected
        listener.answer = Answer(502, b"{}")
        assert await refusal(gateway) == ("http_502", False, True)


async def test_any_api_may_tell_what_became_of_a_text() -> None:
    """Signed over its body; and not where no secret is set."""
    gateway = template("https://sms.example", receipt_secret="s3cret")
    body = json.dumps({"id": "msg_1", "status": "failed", "error": "absent"}).encode()
    signature = "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert await read(gateway, body=body, nightlatch_signature=signature) == [
        Receipt(gateway="cloud", reference="msg_1", delivered=False, error="absent")
    ]
    await forged(gateway, body=body + b" ", nightlatch_signature=signature)
    await forged(gateway, body=body)
    unsigned = "sha256=" + hmac.new(b"", body, hashlib.sha256).hexdigest()
    await forged(template("https://sms.example"), body=body, nightlatch_signature=unsigned)


@pytest.mark.parametrize("kind", [twilio, vonage, template])
async def test_an_answer_that_is_lost_leaves_it_uncertain(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hung, broken off or trickled; while one that never began is certain."""
    monkeypatch.setattr(http, "CONNECT_SECONDS", 1.0)
    how = ""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if how == "break":
            writer.close()
            return
        if how == "trickle":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        while not writer.is_closing():
            if how == "trickle":
                writer.write(b" ")
            await asyncio.sleep(0.05)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    gateway = kind(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    gateway._http = http.HttpSender(answer=0.5)
    for how, reason in (  # noqa: B007
        ("hang", "timeout"),
        ("break", "unreachable"),
        ("trickle", "timeout"),
    ):
        assert await refusal(gateway) == (reason, False, True)
    server.close()
    assert await refusal(kind(f"http://127.0.0.1:{free_port()}")) == ("unreachable", False, False)
    assert not await kind(f"http://127.0.0.1:{free_port()}").healthy()


async def test_no_answer_is_read_without_end() -> None:
    """A gateway that sends gigabytes fills no memory."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        except ConnectionError:
            return

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sender = http.HttpSender()
    answer = await sender.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", content=b"")
    assert len(answer.body) == http.LONGEST_ANSWER
    await sender.close()
    server.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_answer_is_not_unpacked(encoding: str) -> None:
    """None is asked for; 300 MiB of nothing are 300 KiB on the wire, and would all be here before they are cut."""
    packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    packed = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(300)) + packer.flush()
    async with listening() as listener:
        listener.answer = Answer(200, packed, encoding)
        sender = http.HttpSender()
        tracemalloc.start()
        for answer in (await sender.post(listener.url, content=b""), await sender.get(listener.url)):
            assert answer.body == packed[: http.LONGEST_ANSWER]
            assert answer.json() is None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * 1024 * 1024, peak
        assert {seen.headers["accept-encoding"] for seen in listener.requests} == {"identity"}
        await sender.close()


async def objection(listener: Listener, status: int, body: bytes) -> str | None:
    """What a service says that answers so."""
    listener.answer = Answer(status, body)
    return await HttpVeto(listener.url, "a-token-of-sixteen").objection(NUMBER)


@pytest.mark.requirement("S8")
async def test_only_a_clear_yes_lets_a_text_go() -> None:
    """Everything else is a reason not to send, and says which."""
    async with listening() as listener:
        assert await objection(listener, 200, b'{"send": true}') is None
        assert await objection(listener, 200, b'{"send": false, "reason": "sim_swap"}') == "sim_swap"
        assert await objection(listener, 200, b'{"send": false, "reason": "+49171 is\\nbad"}') == "refused"
        for body in (b"", b"{}", b'{"send": "true"}', b'{"send": 1}', b"[true]", b"<html>"):
            assert await objection(listener, 200, body) == "veto_unreadable"
        for status in (201, 204, 302, 401, 404, 500):
            assert await objection(listener, status, b'{"send": true}') == f"veto_{status}"
        seen = listener.requests[0]
        assert (json.loads(seen.body), seen.headers["authorization"]) == (
            {"number": NUMBER},
            "Bearer a-token-of-sixteen",
        )


@pytest.mark.requirement("S8")
async def test_a_veto_that_is_late_or_away_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says that it was."""
    monkeypatch.setattr(http, "CONNECT_SECONDS", 1.0)
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert await HttpVeto(url, seconds=0.3).objection(NUMBER) == "veto_timeout"
    server.close()
    assert await HttpVeto(f"http://127.0.0.1:{free_port()}").objection(NUMBER) == "veto_unreachable"
