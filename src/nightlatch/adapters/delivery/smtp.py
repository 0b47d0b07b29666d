"""The way to a mail server: SMTP submission with TLS (RFC 6409, RFC 8314), one connection a mail.

What the server says to the recipient or the content (5yz) is final for that mail. What it says to us, such as to our
password, is no fault of the mail: an operator mends it, and the mail waits.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP as HEADERS
from email.policy import SMTPUTF8 as UTF8_HEADERS
from email.utils import format_datetime, parseaddr
from enum import StrEnum

import aiosmtplib
import msgspec

from nightlatch.domain.time import SECOND
from nightlatch.ports.delivery import Accepted, Mail, NotSent
from nightlatch.ports.world import Clock

GATEWAY = "mail"
TIMEOUT = 15.0
"""Seconds for one mail, from the connection to the last answer; the dispatcher gives 20."""

PERMANENT = 500
_QUOTED = "quoted-printable"


class Tls(StrEnum):
    """How the connection is protected. ``none`` is for a server on this machine."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class SmtpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """A mail server, and who mails come from. ``ca_file`` holds further authorities that its certificate may be of."""

    host: str
    port: int
    tls: Tls
    sender: str
    reply_to: str | None = None
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None

    def __repr__(self) -> str:
        """Without the password (K3)."""
        return f"SmtpOptions(host={self.host!r}, port={self.port})"


class SmtpTransport:
    """See ``ports.delivery.MailTransport``."""

    def __init__(self, options: SmtpOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock

    async def send(self, mail: Mail) -> Accepted:
        """Raises ``NotSent``."""
        try:
            message = self._message(mail)
        except (ValueError, MessageError):
            # A line break in an address or a subject, or no address at all. The text of the error would quote it.
            raise NotSent("unfit_header", permanent=True, gateway=GATEWAY) from None
        stage = _Stage()
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._hand_over(message, str(message["to"].addresses[0].addr_spec), stage)
        except NotSent:
            raise
        except (TimeoutError, OSError, aiosmtplib.SMTPException) as error:
            raise _refusal(error, stage) from None
        return Accepted()

    async def healthy(self) -> bool:
        """Whether the server would take a mail now; none is sent."""
        try:
            async with asyncio.timeout(TIMEOUT), self._client() as smtp:
                return (await smtp.noop()).code < PERMANENT
        except (TimeoutError, OSError, aiosmtplib.SMTPException):
            return False

    async def _hand_over(self, message: EmailMessage, recipient: str, stage: _Stage) -> None:
        sender = parseaddr(self._options.sender)[1]
        async with self._client() as smtp:
            utf8 = not recipient.isascii()
            if utf8 and not smtp.supports_extension("smtputf8"):
                raise NotSent("smtputf8_missing", permanent=True, gateway=GATEWAY)
            encoding = "utf-8" if utf8 else "ascii"
            await smtp.mail(sender, options=["SMTPUTF8"] if utf8 else [], encoding=encoding)
            stage.recipient = True
            await smtp.rcpt(recipient, encoding=encoding)
            stage.recipient, stage.content = False, True
            await smtp.data(message.as_bytes())

    def _client(self) -> _Client:
        return _Client(self._options)

    def _message(self, mail: Mail) -> EmailMessage:
        """The mail as RFC 5322 has it. Raises ``ValueError`` for whatever would end a header."""
        recipient = _ascii_domain(mail.to)
        # Beyond ASCII left of the @ there is only RFC 6531; everything else is said as every server has understood it.
        message = EmailMessage(policy=HEADERS if recipient.isascii() else UTF8_HEADERS)
        message["From"] = self._options.sender
        message["To"] = recipient
        if [address.addr_spec for address in message["To"].addresses] != [recipient]:
            raise ValueError("not one address")
        if self._options.reply_to:
            message["Reply-To"] = self._options.reply_to
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(self._clock.now() // SECOND, UTC))
        # Ours, and the same at every repeat: mail programs show one of two that say the same.
        message["Message-ID"] = f"<{mail.id}@{parseaddr(self._options.sender)[1].rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text, cte=_QUOTED)
        message.add_alternative(mail.html, subtype="html", cte=_QUOTED)
        return message


class _Stage:
    """How far a mail came."""

    recipient = False
    content = False


class _Client:
    """A connection that is encrypted and signed in, or none."""

    def __init__(self, options: SmtpOptions) -> None:
        self._options = options
        self._smtp: aiosmtplib.SMTP | None = None

    async def __aenter__(self) -> aiosmtplib.SMTP:
        options = self._options
        context = ssl.create_default_context() if options.tls is not Tls.NONE else None
        if context is not None and options.ca_file:
            context.load_verify_locations(options.ca_file)
        smtp = aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            username=options.username,
            password=options.password,
            use_tls=options.tls is Tls.TLS,
            start_tls=options.tls is Tls.STARTTLS,
            tls_context=context,
            timeout=TIMEOUT,
        )
        await smtp.connect()
        self._smtp = smtp
        await smtp.ehlo()
        return smtp

    async def __aexit__(self, *_error: object) -> None:
        assert self._smtp is not None
        self._smtp.close()


def _ascii_domain(address: str) -> str:
    """The address with its domain as the DNS has it (RFC 5891). Raises ``ValueError``."""
    local, at, domain = address.rpartition("@")
    if not at or not local or any(character in address for character in "\r\n\0"):
        raise ValueError("no address")
    return f"{local}@{domain.encode('idna').decode('ascii')}"


def _refusal(error: Exception, stage: _Stage) -> NotSent:
    code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None
    if isinstance(error, ssl.SSLError):
        return NotSent("tls_failed", gateway=GATEWAY)
    if code is None or isinstance(error, aiosmtplib.SMTPTimeoutError):
        # Whoever broke off while the content was under way may have taken it.
        reason = "timeout" if isinstance(error, TimeoutError | aiosmtplib.SMTPTimeoutError) else "unreachable"
        return NotSent(reason, uncertain=stage.content, gateway=GATEWAY)
    permanent = code >= PERMANENT and (stage.recipient or stage.content)
    return NotSent(f"smtp_{code}", permanent=permanent, gateway=GATEWAY)
