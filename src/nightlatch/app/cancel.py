"""Give an authentication up."""

from __future__ import annotations

from nightlatch.app.attempt import move, rejected, require_open
from nightlatch.app.authenticate import answer_of
from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.messages import AuthenticationAnswer
from nightlatch.domain.records import Authentication
from nightlatch.ports.store import Change, Snapshot

CANCELLED = "cancelled"


async def cancel(ports: Ports, caller: Caller, authentication_id: str) -> AuthenticationAnswer:
    """End a pending authentication without approval; repeating it changes nothing.

    Raises ``NotFound``, ``Conflict`` when it is decided or expired already.
    """

    async def decide(snapshot: Snapshot, authentication: Authentication) -> tuple[Change | None, AuthenticationAnswer]:
        now = ports.clock.now()
        change = None
        if authentication.status_reason != CANCELLED:
            require_open(authentication, now)
            change, authentication = cancelled(ports, caller, snapshot, authentication, now)
        return change, answer_of(ports, authentication, snapshot, now, user=snapshot.user)

    return await move(ports, caller, authentication_id, decide)


def cancelled(
    ports: Ports, caller: Caller, snapshot: Snapshot, authentication: Authentication, now: int
) -> tuple[Change, Authentication]:
    """The change that ends it, by its application or by the person in the prompt."""
    over = rejected(authentication, CANCELLED)
    event = make_event(
        ports,
        caller,
        now,
        "authentication:cancelled",
        outcome="failure",
        user=snapshot.user,
        application_id=over.application_id,
        authentication_id=over.id,
        reason=CANCELLED,
    )
    return Change(root=over.root, expected=snapshot.version, puts=(over,), events=(event,)), over
