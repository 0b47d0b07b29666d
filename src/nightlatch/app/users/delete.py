"""Delete a user: what they signed in with and their personal data go, the name stays taken."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.users.reference import existing, user_key
from nightlatch.domain.records import User, UserStatus
from nightlatch.ports.store import Change, Snapshot

AT_ONCE = 500


async def delete_user(ports: Ports, caller: Caller, ref: str) -> None:
    """Delete a user. Raises ``NotFound``, also when it was deleted before.

    The audit key is destroyed with the record, so that what events say about the person opens for nobody any more;
    the events themselves stay (G4). Links that were mailed go, and what waits to be sent is never sent; a message that
    a gateway is just taking cannot be called back. Where there is much it goes first and in batches: if that is cut
    off, the user is still there to be deleted again. Challenges hold two digits of a number at most, open nothing
    without their sign-in, and are left to the sweep.
    """
    while await transact(ports.store, user_key(ref), lambda snapshot: _forget(ports, snapshot)):
        pass

    async def decide(snapshot: Snapshot) -> Decided[None]:
        user = existing(snapshot)
        now = ports.clock.now()
        event = make_event(ports, caller, now, "user:deleted", user=replace(user, audit_key=b""))
        # They are listed after the version was read, and the change fails if one was added since.
        belongings = await ports.directory.belongings(user.id, limit=AT_ONCE)
        change = Change(
            root=user.id,
            expected=snapshot.version,
            puts=(tombstone(user, now),),
            deletes=(*snapshot.factors, *snapshot.states.values(), *belongings),
            events=(event,),
        )
        return change, None

    await transact(ports.store, user_key(ref), decide)


async def _forget(ports: Ports, snapshot: Snapshot) -> Decided[bool]:
    """One batch of what belongs to the user; False when what is left fits into the last change."""
    user = existing(snapshot)
    belongings = await ports.directory.belongings(user.id, limit=AT_ONCE)
    if len(belongings) < AT_ONCE:
        return None, False
    return Change(root=user.id, expected=snapshot.version, deletes=tuple(belongings)), True


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
