"""Revoke an application: its keys open nothing any more."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.applications.standing import standing
from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.domain.errors import Conflict
from nightlatch.ports.store import Change, Outcome


async def revoke_application(ports: Ports, caller: Caller, application_id: str) -> None:
    """Revoke an application for good, within 2 s in every process. Raises ``NotFound``, also for a revoked one."""
    kept = await standing(ports, application_id)
    now = ports.clock.now()
    keys = tuple(replace(key, revoked_at=now) for key in kept.keys if key.revoked_at is None)
    event = make_event(
        ports,
        caller,
        now,
        "application:revoked",
        application_id=application_id,
        data={"name": kept.application.name, "keys": len(keys)},
    )
    change = Change(
        root=application_id,
        expected=kept.version,
        puts=(replace(kept.application, revoked_at=now), *keys),
        events=(event,),
        shared=True,
    )
    if await ports.store.commit(change) is not Outcome.APPLIED:
        raise Conflict
