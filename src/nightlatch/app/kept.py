"""Small secrets that wait in a ticket's notes, sealed: they are shown to its holder alone, for a few minutes."""

from __future__ import annotations

import base64

from nightlatch.app.context import Ports
from nightlatch.domain.crypto.sealing import Place


def keep(ports: Ports, user_id: str, name: str, secret: bytes) -> str:
    """The secret, sealed for this user and this purpose (K1)."""
    return base64.b64encode(ports.sealer.seal(secret, _place(user_id, name))).decode("ascii")


def kept(ports: Ports, user_id: str, name: str, note: str) -> bytes:
    """The secret again. Raises ``SealBroken`` when it was changed or moved."""
    return ports.sealer.open(base64.b64decode(note), _place(user_id, name))


def _place(user_id: str, name: str) -> Place:
    return Place("tickets", user_id, user_id, name)
