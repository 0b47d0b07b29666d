"""An authentication as its application may see and move it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from nightlatch.app.context import Caller, Ports
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.settling import raised
from nightlatch.domain.errors import Conflict, NotFound, Refusal
from nightlatch.domain.ids import AUTHENTICATION, is_id
from nightlatch.domain.records import Authentication, AuthenticationStatus
from nightlatch.domain.time import holds
from nightlatch.ports.store import Snapshot, UserKey

T = TypeVar("T")

MAX_WRONG_ANSWERS = 5
"""After these an authentication is over; the person starts again at the password."""


def own(caller: Caller, snapshot: Snapshot) -> Authentication:
    """The loaded authentication, if this application made it; else ``NotFound``."""
    authentication = snapshot.authentication
    application = caller.application
    if authentication is None or application is None or authentication.application_id != application.id:
        raise NotFound("There is no such authentication at this application.")
    return authentication


async def load(ports: Ports, authentication_id: str) -> Snapshot:
    """The authentication with its root and the device that came with it."""
    if not is_id(authentication_id, AUTHENTICATION):
        raise NotFound("There is no such authentication at this application.")
    snapshot = await ports.store.load(UserKey(authentication=authentication_id))
    if snapshot.authentication is None or snapshot.authentication.device_hash is None:
        return snapshot
    return await ports.store.load(key_of(snapshot.authentication))


def key_of(authentication: Authentication) -> UserKey:
    """All that an answer to this authentication is decided on."""
    return UserKey(
        authentication=authentication.id,
        device=authentication.device_hash,
        device_application=authentication.application_id,
    )


async def move(
    ports: Ports,
    caller: Caller,
    authentication_id: str,
    decide: Callable[[Snapshot, Authentication], Awaitable[Decided[T | Refusal]]],
) -> T:
    """Decide on one of the caller's authentications and wake who waits for it."""
    seen = await load(ports, authentication_id)
    first = own(caller, seen)

    async def on(snapshot: Snapshot) -> Decided[T | Refusal]:
        return await decide(snapshot, own(caller, snapshot))

    answer = await transact(ports.store, key_of(first), on, seen=seen)
    await ports.wakeups.notify(wake_key(authentication_id))
    return raised(answer)


def wake_key(authentication_id: str) -> str:
    """What a waiter for this authentication listens to."""
    return f"authentication:{authentication_id}"


def status_at(authentication: Authentication, now: int) -> AuthenticationStatus:
    """The status as of now: nobody has to come by for an attempt to expire."""
    status = authentication.status
    if status is AuthenticationStatus.PENDING and not holds(authentication.created_at, authentication.expires_at, now):
        return AuthenticationStatus.EXPIRED
    return status


def require_open(authentication: Authentication, now: int) -> None:
    """Raise ``Conflict`` unless the authentication is still pending."""
    status = status_at(authentication, now)
    if status is not AuthenticationStatus.PENDING:
        raise Conflict(f"This authentication is {status.value}; start a new one.", code=f"already_{status.value}")


def require_not_hosted(authentication: Authentication) -> None:
    """What is answered in the hosted prompt is answered nowhere else."""
    if authentication.return_url is not None:
        raise Conflict(
            "This authentication has a return_url: the person answers it at prompt_url.",
            code="hosted",
        )


def rejected(authentication: Authentication, reason: str) -> Authentication:
    """The authentication, over without approval."""
    return msgspec.structs.replace(authentication, status=AuthenticationStatus.REJECTED, status_reason=reason)
