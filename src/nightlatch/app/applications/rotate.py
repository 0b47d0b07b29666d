"""Give an application a new key."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.applications.answers import scopes_of
from nightlatch.app.applications.create import new_key
from nightlatch.app.applications.standing import standing
from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.messages import CreatedApplication
from nightlatch.domain.errors import Conflict
from nightlatch.ports.store import Change, Outcome


async def rotate_key(ports: Ports, caller: Caller, application_id: str) -> CreatedApplication:
    """A new key with the same scopes, told this once. The old one is dead at once, within 2 s in every process.

    Keys are mostly rotated because one leaked; whoever wants an overlap registers the application twice for its time.
    Raises ``NotFound``.
    """
    kept = await standing(ports, application_id)
    now = ports.clock.now()
    scopes = scopes_of(kept.keys)
    text, key = new_key(ports, application_id, scopes, now)
    dead = tuple(replace(old, revoked_at=now) for old in kept.keys if old.revoked_at is None)
    event = make_event(
        ports,
        caller,
        now,
        "key:rotated",
        application_id=application_id,
        data={"scopes": list(scopes), "revoked": len(dead)},
    )
    change = Change(root=application_id, expected=kept.version, puts=dead, new=(key,), events=(event,), shared=True)
    if await ports.store.commit(change) is not Outcome.APPLIED:
        raise Conflict
    return CreatedApplication(id=application_id, api_key=text)
