"""Laying mails out: words become a text and a page."""

from __future__ import annotations

from typing import Protocol

import msgspec

from nightlatch.domain.mail.letters import Subject


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A mail, without who gets it."""

    subject: str
    text: str
    html: str

    def __repr__(self) -> str:
        """Without words (K3)."""
        return "Written()"


class MailRenderer(Protocol):
    """Writes mails under the organisation's name."""

    def render(self, about: Subject, *, locale: str | None) -> Written:
        """The mail, everything in it escaped; in English for a language that we do not write."""
        ...
