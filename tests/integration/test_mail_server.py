"""The way to a mail server, against a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nightlatch.adapters.delivery import smtp
from nightlatch.adapters.delivery.smtp import SmtpOptions, SmtpTransport, Tls
from nightlatch.adapters.system import SystemClock
from nightlatch.app.context import Caller
from nightlatch.app.messages import NewUser, UserPatch
from nightlatch.app.users.change import change_user
from nightlatch.app.users.create import create_user
from nightlatch.bootstrap import open_everything
from nightlatch.bootstrap.opening import open_beside
from nightlatch.bootstrap.outlets import demo_outlets
from nightlatch.config import load_settings
from nightlatch.ports.delivery import Mail, NotSent
from tests.support.certificates import certificate_for
from tests.support.kept import free_port
from tests.support.letters import ACCOUNT, PASSWORD, MailServer, mail_server

SENDER = "Nächtlich <no-reply@example.org>"
MAIL = Mail(id="msg_1", to="maya@example.org", subject="Grüße", text="Hällo\n", html="<p>Hällo</p>")
OPERATOR = Caller("operator:cli:test", scopes=frozenset({"admin"}))


def transport(server: MailServer, host: str = "127.0.0.1", tls: Tls = Tls.NONE, **more: str) -> SmtpTransport:
    """The way to this server."""
    return SmtpTransport(SmtpOptions(host=host, port=server.port, tls=tls, sender=SENDER, **more), SystemClock())


async def refused(way: SmtpTransport, mail: Mail = MAIL) -> NotSent:
    """Why it was not sent."""
    with pytest.raises(NotSent) as failure:
        await way.send(mail)
    assert failure.value.gateway == "mail"
    return failure.value


async def test_a_mail_arrives_as_text_and_as_html() -> None:
    """With the same Message-ID at a repeat, and headers that robots understand."""
    with mail_server() as server:
        way = transport(server, reply_to="help@example.org")
        assert await way.healthy()
        for _ in range(2):
            await way.send(MAIL)
    one, again = server.got
    message = one.message
    assert (one.sender, one.recipients) == ("no-reply@example.org", ["maya@example.org"])
    assert (str(message["from"]), one.subject) == (SENDER, "Grüße")
    assert (one.body(), one.body("html")) == ("Hällo\n", "<p>Hällo</p>\n")
    assert message["message-id"] == again.message["message-id"] == "<msg_1@example.org>"
    assert (message["auto-submitted"], message["reply-to"]) == ("auto-generated", "help@example.org")
    assert abs(message["date"].datetime.timestamp() - SystemClock().now() / 1e6) < 60
    assert one.raw.isascii()


async def test_starttls_and_a_password(tmp_path: Path) -> None:
    """The password goes over TLS alone, and the certificate is checked."""
    certificate, key = certificate_for("localhost", tmp_path)
    with mail_server(starttls=(certificate, key), login=True) as server:
        good = transport(
            server, "localhost", Tls.STARTTLS, username=ACCOUNT, password=PASSWORD, ca_file=str(certificate)
        )
        await good.send(MAIL)
        assert await good.healthy()
        stranger = transport(server, "localhost", Tls.STARTTLS, username=ACCOUNT, password=PASSWORD)
        assert (await refused(stranger)).reason == "tls_failed"
        assert not await stranger.healthy()
        wrong = transport(server, "localhost", Tls.STARTTLS, username=ACCOUNT, password="x", ca_file=str(certificate))
        failure = await refused(wrong)
        assert (failure.reason, failure.permanent) == ("smtp_535", False)
    assert len(server.got) == 1


async def test_a_server_without_starttls_gets_nothing() -> None:
    """It may be somebody in the middle who says so."""
    with mail_server() as server:
        failure = await refused(transport(server, tls=Tls.STARTTLS))
    assert not failure.permanent
    assert server.got == []


@pytest.mark.parametrize(
    ("answers", "reason", "permanent"),
    [
        ({"rcpt": "550 5.1.1 No such user"}, "smtp_550", True),
        ({"rcpt": "450 4.7.1 Greylisted"}, "smtp_450", False),
        ({"data": "554 5.7.1 Spam"}, "smtp_554", True),
        ({"data": "452 4.3.1 Full"}, "smtp_452", False),
    ],
)
async def test_what_the_server_says(answers: dict[str, str], reason: str, permanent: bool) -> None:
    """5yz of the recipient and the content is final, 4yz is not."""
    with mail_server() as server:
        server.answers = answers
        failure = await refused(transport(server))
    assert (failure.reason, failure.permanent, failure.uncertain) == (reason, permanent, False)


async def test_nobody_listens() -> None:
    """It waits."""
    failure = await refused(transport(MailServer(free_port())))
    assert (failure.permanent, failure.uncertain) == (False, False)


@pytest.mark.parametrize("hang", [False, True])
async def test_who_breaks_off_in_the_content_may_have_it(hang: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a repeat may be the second; the Message-ID is the same."""
    monkeypatch.setattr(smtp, "TIMEOUT", 2.0)
    async with breaking_off(hang=hang) as port:
        failure = await refused(transport(MailServer(port)))
    assert (failure.permanent, failure.uncertain) == (False, True)


@asynccontextmanager
async def breaking_off(*, hang: bool) -> AsyncIterator[int]:
    """A server that takes a mail and says nothing of it."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while (line := await reader.readline()) and line != b".\r\n":
            if line.startswith((b"EHLO", b"MAIL", b"RCPT")):
                writer.write(b"250 ok\r\n")
            elif line.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
        if hang:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with server:
            yield server.sockets[0].getsockname()[1]
            over.set()
    finally:
        over.set()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "maya@example.org\r\nRCPT TO:<x@example.org>"),
        ("to", "maya@example.org, other@example.org"),
        ("to", "maya"),
        ("to", "<maya@example.org>"),
        ("subject", "Hello\r\nBcc: other@example.org"),
        ("subject", "Hello\nBcc: other@example.org"),
        ("subject", "Hello\rBcc: other@example.org"),
    ],
)
async def test_no_field_ends_a_header(field: str, value: str) -> None:
    """It is refused for good, and its text is in no error."""
    mail = Mail(**{name: getattr(MAIL, name) for name in MAIL.__struct_fields__} | {field: value})
    with mail_server() as server:
        failure = await refused(transport(server), mail)
    assert (failure.reason, failure.permanent) == ("unfit_header", True)
    assert server.got == []


async def test_addresses_beyond_ascii() -> None:
    """Domains by IDNA with every server; local parts with those that take them."""
    domain = Mail(id="msg_1", to="maya@bücher.example", subject="x", text="x\n", html="x")
    local = Mail(id="msg_2", to="mäya@example.org", subject="Grüße", text="x\n", html="x")
    with mail_server() as server:
        for mail in (domain, local):
            await transport(server).send(mail)
        assert [got.recipients for got in server.got] == [["maya@xn--bcher-kva.example"], ["mäya@example.org"]]
        assert server.got[1].subject == "Grüße"
    with mail_server(utf8=False) as old:
        await transport(old).send(domain)
        assert (await refused(transport(old), local)).permanent


async def test_notices_leave_by_themselves(sqlite_url: str, tmp_path: Path) -> None:
    """What a server queues it sends; so does it with what commands beside it queue. The demo sends none."""
    with mail_server() as server:
        file = tmp_path / "nightlatch.toml"
        file.write_text(
            f'[mail]\nhost = "127.0.0.1"\nport = {server.port}\ntls = "none"\nsender = "no-reply@example.org"\n'
        )
        flags = {"database_url": sqlite_url, "data_dir": str(tmp_path / "data")}
        settings = load_settings(flags, file=file, environ={})
        async with open_everything(settings) as opened:
            await create_user(opened.ports, OPERATOR, NewUser(username="maya", emails=["maya@example.org"]))
            async with open_beside(settings) as beside:
                await change_user(beside.ports, OPERATOR, "maya", UserPatch(emails=["new@example.org"]))
            async with asyncio.timeout(20):
                while len(server.got) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert {got.recipients[0] for got in server.got} == {"maya@example.org", "new@example.org"}
        assert all("http://localhost:8080/mail/confirm?ticket=" in got.body() for got in server.got)
        async with open_everything(settings, outlets=demo_outlets) as demo:
            assert demo.ports.mailing is None
