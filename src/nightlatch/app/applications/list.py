"""List applications."""

from __future__ import annotations

from nightlatch.app.applications.answers import application_answer
from nightlatch.app.context import Caller, Ports
from nightlatch.app.messages import ApplicationAnswer, Page
from nightlatch.domain.errors import NotFound


async def list_applications(ports: Ports, _caller: Caller) -> Page[ApplicationAnswer]:
    """All applications, revoked ones included, oldest first. There are few: one page holds them."""
    kept = sorted(await ports.catalog.applications(), key=lambda kept: kept.application.id)
    return Page(data=[application_answer(one) for one in kept])


async def find_application(ports: Ports, _caller: Caller, application_id: str) -> ApplicationAnswer:
    """One application. Raises ``NotFound``."""
    kept = await ports.catalog.application(application_id)
    if kept is None:
        raise NotFound("There is no such application.")
    return application_answer(kept)
