"""Tickets: bearer secrets of ours that open one door. The token is told once; its SHA-256 is kept."""

from __future__ import annotations

from typing import Any

from nightlatch.app.context import Ports
from nightlatch.domain.crypto.tokens import hash_token, ticket_token
from nightlatch.domain.records import Ticket, TicketKind

TOKEN_BYTES = 32
LONGEST_TOKEN = 128


def issue(
    ports: Ports,
    now: int,
    kind: TicketKind,
    *,
    root: str,
    user_id: str,
    ttl: int,
    application_id: str | None = None,
    authentication_id: str | None = None,
    bound_hash: bytes | None = None,
    data: dict[str, Any] | None = None,
) -> tuple[str, Ticket]:
    """A new token (256 bits) and the ticket to store in the same change as what it belongs to.

    ``ttl`` is in µs. ``bound_hash`` is of the browser's secret where only one browser may use it.
    """
    token = ticket_token(ports.entropy.bytes(TOKEN_BYTES))
    return token, Ticket(
        hash=hash_token(token),
        kind=kind,
        root=root,
        user_id=user_id,
        application_id=application_id,
        authentication_id=authentication_id,
        bound_hash=bound_hash,
        data=data or {},
        created_at=now,
        expires_at=now + ttl,
    )


def hash_of(token: str) -> bytes:
    """What a token is looked up by. An overlong one is cut first: it matches nothing, and costs little."""
    return hash_token(token[:LONGEST_TOKEN])
