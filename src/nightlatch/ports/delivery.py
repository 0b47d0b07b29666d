"""How messages leave: one small protocol a channel."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text message. ``to`` is E.164; ``id`` is ours, the same at every repeat."""

    id: str
    to: str
    text: str
    expires_at: int

    def __repr__(self) -> str:
        """Without number and code (K3)."""
        return f"Text(id={self.id!r})"


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail, text and HTML."""

    id: str
    to: str
    subject: str
    text: str
    html: str

    def __repr__(self) -> str:
        """Without address and words (K3)."""
        return f"Mail(id={self.id!r})"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway took it. ``reference`` is its own name for it, if receipts will come."""

    reference: str | None = None


class NotSent(Exception):
    """A gateway did not take it. ``permanent``: no repeat will help with this message.

    ``uncertain``: it may have been taken all the same, since the answer was lost. ``reason`` is a word for
    operators, such as ``timeout`` or ``bad_number``, without number or text (K3).
    """

    def __init__(
        self, reason: str, *, permanent: bool = False, uncertain: bool = False, gateway: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.uncertain = uncertain
        self.gateway = gateway


class SmsGateway(Protocol):
    """One way to send texts. ``name`` is the operator's."""

    name: str

    async def send(self, text: Text) -> Accepted:
        """Hand one over. Raises ``NotSent``."""
        ...

    async def healthy(self) -> bool:
        """Whether it would take one now; never sends anything."""
        ...

    async def close(self) -> None: ...


class MailTransport(Protocol):
    """The way to a mail server."""

    async def send(self, mail: Mail) -> Accepted:
        """Hand one over. Raises ``NotSent``."""
        ...


class SmsVeto(Protocol):
    """Somebody who may forbid a text: number look-up, SIM-swap service (S8)."""

    async def objection(self, number: str) -> str | None:
        """Why nothing may be sent to this number; a time-out or an error is a reason too."""
        ...
