"""How messages leave: one small protocol a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from nightlatch.ports.outbox import Receipt


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
    operators, such as ``timeout`` or ``bad_number``, without number or text (K3). ``gone``: whom it was for is
    reached there no more.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        uncertain: bool = False,
        gone: bool = False,
        gateway: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.uncertain = uncertain
        self.gone = gone
        self.gateway = gateway


class PushMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A push. ``subscription`` is what the phone gave for this transport; ``content`` is a JSON object and holds no
    number. ``ttl`` is in seconds; of two with one ``topic`` only the newer need arrive.
    """

    id: str
    subscription: Any
    content: dict[str, Any]
    ttl: int
    topic: str

    def __repr__(self) -> str:
        """Without subscription and content (K3)."""
        return f"PushMessage(id={self.id!r})"


class PushTransport(Protocol):
    """One way to make a phone ring."""

    async def send(self, message: PushMessage) -> Accepted:
        """Hand one over. Raises ``NotSent``, with ``gone`` for a subscription that has ended."""
        ...

    async def close(self) -> None: ...


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


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """A request that says it comes from a gateway. ``url`` is the public one with its query, ``headers`` in small letters."""

    url: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Without what it tells (K3)."""
        return "Callback()"


class Forged(Exception):
    """A callback that does not prove where it comes from. The text says which proof failed, for the log."""


@runtime_checkable
class ReceiptReader(Protocol):
    """Reads what a gateway tells later."""

    async def read(self, callback: Callback) -> Sequence[Receipt]:
        """What it tells of which texts; nothing, where it tells of none. Raises ``Forged``, and nothing else."""
        ...
