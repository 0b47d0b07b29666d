"""An application as it stands in the database, to be changed."""

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
