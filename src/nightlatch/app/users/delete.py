"""Delete a user: what they signed in with and their personal data go, the name stays taken."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.users.reference import existing, user_key
from nightlatch.domain.records import Record, User, UserStatus
from nightlatch.ports.store import Change, Snapshot

SIGN_INS_AT_ONCE = 500


async def delete_user(ports: Ports, caller: Caller, ref: str) -> None:
    """Delete a user. Raises ``NotFound``, also when it was deleted before.

    The audit key is destroyed with the record, so that what events say about the person opens for nobody any more;
    the events themselves stay (G4). Sign-ins, which hold addresses, go first and in batches: if that is cut off, the
    user is still there to be deleted again. Tickets and challenges hold no personal data and are left to their expiry:
    for a deleted user none opens anything.
    """
    while await transact(ports.store, user_key(ref), lambda snapshot: _forget_sign_ins(ports, snapshot)):
        pass

    async def decide(snapshot: Snapshot) -> Decided[None]:
        user = existing(snapshot)
        now = ports.clock.now()
        event = make_event(ports, caller, now, "user:deleted", user=replace(user, audit_key=b""))
        change = Change(
            root=user.id,
            expected=snapshot.version,
            puts=(tombstone(user, now),),
            deletes=await _belongings(ports, snapshot, user),
            events=(event,),
        )
        return change, None

    await transact(ports.store, user_key(ref), decide)


async def _forget_sign_ins(ports: Ports, snapshot: Snapshot) -> Decided[bool]:
    """One batch of sign-ins; False when what is left fits into the last change."""
    user = existing(snapshot)
    sign_ins = await ports.directory.sign_ins(user.id, limit=SIGN_INS_AT_ONCE)
    if len(sign_ins) < SIGN_INS_AT_ONCE:
        return None, False
    return Change(root=user.id, expected=snapshot.version, deletes=tuple(sign_ins)), True


def tombstone(user: User, now: int) -> User:
    """What is left: id and name, so that nobody inherits either."""
    return User(
        id=user.id,
        username=user.username,
        kind=user.kind,
        status=UserStatus.DELETED,
        created_at=user.created_at,
        updated_at=now,
    )


async def _belongings(ports: Ports, snapshot: Snapshot, user: User) -> tuple[Record, ...]:
    """Factors, their states, devices, networks and sign-ins.

    They are listed after the version was read, and the change fails if one was added since.
    """
    devices = await ports.directory.devices(user.id, None)
    networks = await ports.directory.networks(user.id)
    sign_ins = await ports.directory.sign_ins(user.id, limit=SIGN_INS_AT_ONCE)
    return (*snapshot.factors, *snapshot.states.values(), *devices, *networks, *sign_ins)
