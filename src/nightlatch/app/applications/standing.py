"""An application as it stands: to be changed, or to answer for what it began."""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.domain.errors import NotFound
from nightlatch.ports.catalog import KeptApplication


async def standing(ports: Ports, application_id: str) -> KeptApplication:
    """The application with its keys and version. Raises ``NotFound``, also when it was revoked."""
    kept = await ports.catalog.application(application_id)
    if kept is None or kept.application.revoked_at is not None:
        raise NotFound("There is no such application.")
    return kept


async def stands_by(ports: Ports, application_id: str | None, key_hash: bytes | None = None) -> bool:
    """Whether what an application began may go on: links and prompts end with it. An operator's needs none.

    With ``key_hash`` it also ends with the key by which it was begun.
    """
    if application_id is None:
        return True
    kept = await ports.catalog.application(application_id)
    if kept is None or kept.application.revoked_at is not None:
        return False
    return key_hash is None or any(key.hash == key_hash and key.revoked_at is None for key in kept.keys)
