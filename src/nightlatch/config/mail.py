"""``[mail]``: the server that takes notices, and who they come from."""

from __future__ import annotations

from email.headerregistry import AddressHeader
from email.policy import SMTP
from pathlib import Path

from nightlatch.adapters.delivery.smtp import SmtpOptions, Tls
from nightlatch.config.loopback import is_loopback
from nightlatch.config.schema import GivenMail, GivenSettings
from nightlatch.config.sources import Problem, Sources
from nightlatch.domain.contact import email
from nightlatch.domain.fields import BadField

_PORTS = {Tls.STARTTLS: 587, Tls.TLS: 465, Tls.NONE: 25}


def mail_of(sources: Sources, given: GivenSettings) -> SmtpOptions | None:
    """Everything of ``[mail]``; None without a host. What is wrong is added to the problems of ``sources``."""
    mail = given.mail
    if mail.host is None:
        _only_with_host(sources, mail)
        return None
    password = mail.password or _content(sources, mail)
    if (mail.username is None) != (password is None):
        _wrong(sources, "mail.username", "mail.username and mail.password come together, or not at all")
    if mail.tls is Tls.NONE and not is_loopback(mail.host):
        _wrong(sources, "mail.tls", "mail.tls may be none on loopback only: links would be read on the way", "starttls")
    if mail.sender is None:
        _wrong(sources, "mail.host", "mail.sender is needed: who mails come from, such as no-reply@example.org")
    for name, address in (("mail.sender", mail.sender), ("mail.reply_to", mail.reply_to)):
        if address is not None and not _one_address(address):
            _wrong(sources, name, f"{name} must be one address, such as Example <no-reply@example.org>")
    return SmtpOptions(
        host=mail.host,
        port=mail.port or _PORTS[mail.tls],
        tls=mail.tls,
        sender=mail.sender or "",
        reply_to=mail.reply_to,
        username=mail.username,
        password=password,
        ca_file=_authorities(sources, mail),
    )


def _only_with_host(sources: Sources, mail: GivenMail) -> None:
    """Somebody who names a sender means to send: that nothing would be sent must not stay unnoticed."""
    for name in ("sender", "username", "password", "password_file"):
        if getattr(mail, name) is not None:
            _wrong(sources, f"mail.{name}", f"mail.{name} is of no use without mail.host")


def _content(sources: Sources, mail: GivenMail) -> str | None:
    name = "mail.password_file"
    if mail.password_file is None:
        return None
    path = sources.base_of(name) / mail.password_file
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        _wrong(sources, name, f"{name}: {path} cannot be read ({type(error).__name__})")
        return None


def _authorities(sources: Sources, mail: GivenMail) -> str | None:
    name = "mail.ca_file"
    if mail.ca_file is None:
        return None
    path: Path = sources.base_of(name) / mail.ca_file
    if not path.is_file():
        _wrong(sources, name, f"{name}: there is no file {path}")
    return str(path)


def _one_address(text: str) -> bool:
    """Whether this is one mailbox, of the form that we take from people too."""
    if not text.isprintable():
        return False
    try:
        header = SMTP.header_factory("From", text)
    except ValueError:
        return False
    if not isinstance(header, AddressHeader) or len(header.addresses) != 1:
        return False
    try:
        email(header.addresses[0].addr_spec)
    except BadField:
        return False
    return header.addresses[0].addr_spec.isascii()


def _wrong(sources: Sources, name: str, message: str, near: str | None = None) -> None:
    sources.problems.append(Problem(sources.where(name), message, near))
