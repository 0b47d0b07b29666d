"""Read an authentication, and wait for its end if asked to."""

from __future__ import annotations

from nightlatch.app.attempt import load, own, status_at, wake_key
from nightlatch.app.authenticate import answer_of
from nightlatch.app.context import Caller, Ports
from nightlatch.app.messages import AuthenticationAnswer
from nightlatch.domain.records import AuthenticationStatus
from nightlatch.domain.time import SECOND
from nightlatch.ports.store import Snapshot

LONGEST_WAIT = 30 * SECOND
REREAD = 5 * SECOND
"""A wake-up is a hint and may be lost, so a waiter looks again this often."""


async def read_authentication(
    ports: Ports, caller: Caller, authentication_id: str, *, wait: int = 0
) -> AuthenticationAnswer:
    """The authentication as it stands, or as it stands once decided within ``wait`` µs.

    Raises ``NotFound`` for another application's.
    """
    snapshot = await load(ports, authentication_id)
    own(caller, snapshot)
    if wait > 0 and _pending(ports, snapshot):
        snapshot = await _decided(ports, authentication_id, min(wait, LONGEST_WAIT))
    return answer_of(ports, own(caller, snapshot), snapshot, ports.clock.now(), user=snapshot.user)


async def _decided(ports: Ports, authentication_id: str, wait: int) -> Snapshot:
    ends = ports.clock.now() + wait
    async with ports.wakeups.subscribe(wake_key(authentication_id)) as changed:
        while True:
            snapshot = await load(ports, authentication_id)
            left = ends - ports.clock.now()
            if left <= 0 or not _pending(ports, snapshot):
                return snapshot
            await changed.wait(min(left, REREAD))


def _pending(ports: Ports, snapshot: Snapshot) -> bool:
    authentication = snapshot.authentication
    return authentication is not None and (status_at(authentication, ports.clock.now()) is AuthenticationStatus.PENDING)
