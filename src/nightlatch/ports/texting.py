"""Whether a text may be sent at all: asked once for each, before anything is decided to be sent."""

from __future__ import annotations

from typing import Protocol

import msgspec


class SendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A text that somebody asked for. ``number`` is E.164; ``trusted``: verified over 7 days ago (S11)."""

    user_id: str
    number: str
    prefix: str
    country: str
    application_id: str | None
    trusted: bool

    def __repr__(self) -> str:
        """Without the number (K3)."""
        return f"SendRequest(user_id={self.user_id!r}, prefix={self.prefix!r})"


class Texting(Protocol):
    """Gateways, budgets and vetoes, as those see them who want to send. ``voip_numbers``: whether these will do."""

    @property
    def voip_numbers(self) -> bool: ...

    async def permit(self, request: SendRequest, /) -> None:
        """Return if the text may be sent; what it takes of a budget stays taken.

        Raises ``domain.errors.TextsUnavailable``, ``TextsPaused``, ``TextVetoed``. Whatever cannot be found out is a no.
        """
        ...
