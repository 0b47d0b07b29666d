"""Register an application."""

from __future__ import annotations

from nightlatch.app.applications.checks import checked_registration
from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.messages import CreatedApplication, NewApplication
from nightlatch.domain.crypto.tokens import ENTROPY_BYTES, api_key, hash_token
from nightlatch.domain.errors import Conflict
from nightlatch.domain.ids import APPLICATION
from nightlatch.domain.records import ApiKey, Application
from nightlatch.ports.store import Change, Outcome


async def create_application(ports: Ports, caller: Caller, new: NewApplication) -> CreatedApplication:
    """Register an application with its first key, which is told this once. Raises ``Invalid`` with every bad field."""
    name, scopes, return_urls = checked_registration(new.name, new.scopes, new.return_urls)
    now = ports.clock.now()
    application = Application(
        id=ports.new_id(APPLICATION, now),
        name=name,
        return_urls=return_urls,
        first_factor=new.first_factor,
        created_at=now,
    )
    text, key = new_key(ports, application.id, scopes, now)
    event = make_event(
        ports,
        caller,
        now,
        "application:created",
        application_id=application.id,
        data={"name": name, "scopes": list(scopes), "return_urls": list(return_urls)},
    )
    change = Change(root=application.id, expected=0, new=(application, key), events=(event,), shared=True)
    if await ports.store.commit(change) is not Outcome.APPLIED:
        raise Conflict
    return CreatedApplication(id=application.id, api_key=text)


def new_key(ports: Ports, application_id: str, scopes: tuple[str, ...], now: int) -> tuple[str, ApiKey]:
    """A key of 256 random bits, and what is kept of it."""
    text = api_key(ports.entropy.bytes(ENTROPY_BYTES))
    return text, ApiKey(hash=hash_token(text), application_id=application_id, scopes=scopes, created_at=now)
