"""Read an authentication, and wait for its end if asked to."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.approving import next_device
from nightlatch.app.attempt import key_of, load, own, status_at, wake_key
from nightlatch.app.authenticate import answer_of
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import recognize, stands
from nightlatch.app.events import make_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.messages import AuthenticationAnswer
from nightlatch.app.waiting import look_until
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Authentication, AuthenticationStatus, Challenge
from nightlatch.domain.time import SECOND
from nightlatch.ports.store import Change, Snapshot

LONGEST_WAIT = 30 * SECOND


async def read_authentication(
    ports: Ports, caller: Caller, authentication_id: str, *, wait: int = 0, take: bool = True
) -> AuthenticationAnswer:
    """The authentication as it stands, or as it stands once decided within ``wait`` µs.

    Of one that a phone approved, the first reading also has the device's next token: whoever else would be told it,
    the phone, is not where the person signs in. Without ``take`` it stays for who reads next.

    Raises ``NotFound`` for another application's.
    """
    snapshot = await load(ports, authentication_id)
    own(caller, snapshot)
    if wait > 0 and _pending(ports, snapshot):
        snapshot = await look_until(
            ports,
            wake_key(authentication_id),
            lambda: load(ports, authentication_id),
            lambda found: not _pending(ports, found),
            wait=min(wait, LONGEST_WAIT),
        )
    authentication = own(caller, snapshot)
    if take and _untold(snapshot, authentication) is not None:
        return await _handed_over(ports, caller, authentication, snapshot)
    return answer_of(ports, authentication, snapshot, ports.clock.now(), user=snapshot.user)


def _pending(ports: Ports, snapshot: Snapshot) -> bool:
    authentication = snapshot.authentication
    return authentication is not None and (status_at(authentication, ports.clock.now()) is AuthenticationStatus.PENDING)


def _untold(snapshot: Snapshot, authentication: Authentication) -> Challenge | None:
    """The push that approved this authentication, while nobody has fetched what follows from it."""
    a = authentication
    if a.status is not AuthenticationStatus.APPROVED or a.return_url is not None or not stands(snapshot, a):
        return None
    pushes = (c for c in snapshot.challenges if c.kind is FactorKind.PUSH and c.factor_id == a.factor_id)
    return next((c for c in pushes if c.status == "approved" and c.used_at is None), None)


async def _handed_over(ports: Ports, caller: Caller, first: Authentication, seen: Snapshot) -> AuthenticationAnswer:
    """The answer with a device token, told once however many read at once."""

    async def decide(snapshot: Snapshot) -> Decided[AuthenticationAnswer]:
        now = ports.clock.now()
        authentication = own(caller, snapshot)
        told = answer_of(ports, authentication, snapshot, now, user=snapshot.user)
        challenge = _untold(snapshot, authentication)
        if challenge is None or told.assertion is None:
            return None, told
        seen = recognize(snapshot.device, authentication.device_hash, now)
        token, device = next_device(ports, authentication, seen.device, now)
        event = make_event(
            ports,
            caller,
            now,
            "authentication:result_redeemed",
            outcome="info",
            user=snapshot.user,
            authentication_id=authentication.id,
        )
        change = Change(
            root=authentication.root,
            expected=snapshot.version,
            puts=(device, replace(challenge, used_at=now)),
            events=(event,),
        )
        return change, replace(told, device_token=token)

    return await transact(ports.store, key_of(first), decide, seen=seen)
