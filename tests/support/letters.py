"""A real mail server, and mails as their readers have them."""

from __future__ import annotations

import email
import email.policy
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.support.kept import free_port

ACCOUNT, PASSWORD = "nightlatch", "the mail server's password"


@dataclass(frozen=True)
class Got:
    """A mail that arrived, with its envelope."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """Parsed as mail programs do."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def subject(self) -> str:
        """Decoded."""
        return str(self.message["subject"])

    def body(self, kind: str = "plain") -> str:
        """The text, or the ``html``."""
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")

    @property
    def link(self) -> str:
        """The link of the text, which is the HTML's as well."""
        found = re.findall(r"https://\S+", self.body())
        assert len(found) == 1, found
        assert f'href="{found[0]}"' in self.body("html")
        return str(found[0])


@dataclass
class MailServer:
    """What arrived, in order; ``answers`` are what it says to recipients and contents instead of yes."""

    port: int
    got: list[Got] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """aiosmtpd's hook."""
        if refusal := self.answers.get("rcpt"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """aiosmtpd's hook."""
        if refusal := self.answers.get("data"):
            return refusal
        self.got.append(Got(envelope.mail_from, list(envelope.rcpt_tos), bytes(envelope.content)))
        return "250 OK"

    def to(self, address: str) -> list[Got]:
        """What arrived there."""
        return [got for got in self.got if got.recipients == [address]]


@contextmanager
def mail_server(
    *, starttls: tuple[Path, Path] | None = None, login: bool = False, utf8: bool = True
) -> Iterator[MailServer]:
    """Serve on a free port of this machine, in a thread."""
    taken = MailServer(free_port())
    context = None
    if starttls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*starttls)
    controller = Controller(
        taken,
        hostname="127.0.0.1",
        port=taken.port,
        tls_context=context,
        require_starttls=context is not None,
        auth_required=login,
        authenticator=_authenticate if login else None,
        enable_SMTPUTF8=utf8,
    )
    controller.start()
    try:
        yield taken
    finally:
        controller.stop()


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (ACCOUNT.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)
