"""A person's session on their own page: opened by a one-time link, short, and renewed by proof (E2, E4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from nightlatch.app.applications.standing import stands_by
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import active_factors, usable
from nightlatch.app.events import make_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.settling import settle
from nightlatch.app.step_up import APPROVAL_LIFE, Leave
from nightlatch.app.tickets import hash_of, issue
from nightlatch.domain.errors import NotFound, Refusal, StepUpRequired
from nightlatch.domain.records import Ticket, TicketKind, User
from nightlatch.domain.time import HOUR, MINUTE, holds
from nightlatch.ports.store import Change, Snapshot, UserKey

T = TypeVar("T")

SESSION_LIFE = 1 * HOUR
IDLE_LIFE = 15 * MINUTE
SEEN_EVERY = 1 * MINUTE
"""How often an open page is written down as used."""

# The notes of a session's ticket.
SEEN = "seen_at"
PROVED = "proved_at"
PROVED_BY = "proved_by"
"""The factor that was proved."""
BEGUN = "factor"
CODES = "codes"
PUSH = "push"
"""The challenge that a phone is asked to prove by."""
KEY = "key"
"""The hash of the API key by which the link was made, in a link's notes too; until the person proved a factor."""


class SignedOut(NotFound):
    """There is no session, or it is over."""

    code = "portal_signed_out"
    detail = "This page closes by itself. Open it again from where you came."


class LinkDead(NotFound):
    """The link was used, or is older than five minutes."""

    code = "portal_link_dead"
    detail = "This link works once, for five minutes. Ask for a new one."


@dataclass(frozen=True, slots=True)
class Room:
    """A session, let in."""

    snapshot: Snapshot
    user: User
    ticket: Ticket

    @property
    def caller(self) -> Caller:
        """The person."""
        return Caller(actor=f"person:{self.user.id}")

    @property
    def begun(self) -> str | None:
        """The factor that is being set up here."""
        return self.ticket.data.get(BEGUN)

    def note(self, **data: Any) -> Ticket:
        """The session's ticket with other notes; None removes one."""
        kept = {key: value for key, value in {**self.ticket.data, **data}.items() if value is not None}
        return msgspec.structs.replace(self.ticket, data=kept)

    def changes_until(self) -> int | None:
        """Until when what was proved here permits changes; None where nothing was, or by what is gone since (R6)."""
        proved_at, proved_by = self.ticket.data.get(PROVED), self.ticket.data.get(PROVED_BY)
        if proved_at is None or all(factor.id != proved_by for factor in active_factors(self.snapshot)):
            return None
        return int(proved_at) + APPROVAL_LIFE

    def leave(self, now: int) -> Leave:
        """What this session permits: after proof everything, for five minutes; without a factor, a first one.

        Raises ``StepUpRequired``.
        """
        if not active_factors(self.snapshot):
            return Leave(approved=False)
        until = self.changes_until()
        if until is None or not now < until <= now + APPROVAL_LIFE:
            raise StepUpRequired
        return Leave(approved=True)


async def redeem_link(ports: Ports, token: str, peer: str) -> str:
    """Open a session with a one-time link; the answer is the session's token. Raises ``LinkDead``."""

    async def decide(snapshot: Snapshot) -> Decided[str]:
        now = ports.clock.now()
        link, user = snapshot.ticket, snapshot.user
        if link is None or link.kind is not TicketKind.PORTAL_LINK or user is None or not usable(user):
            raise LinkDead
        if link.used_at is not None or not holds(link.created_at, link.expires_at, now):
            raise LinkDead
        if not await _stands(ports, link):
            raise LinkDead
        session, ticket = new_session(ports, user, link, now)
        event = make_event(
            ports,
            Caller(actor=f"person:{user.id}"),
            now,
            "portal:opened",
            user=user,
            application_id=link.application_id,
            personal={"ip": peer},
        )
        change = Change(
            root=user.id,
            expected=snapshot.version,
            puts=(msgspec.structs.replace(link, used_at=now),),
            new=(ticket,),
            events=(event,),
        )
        return change, session

    return await transact(ports.store, UserKey(ticket=hash_of(token)), decide)


def new_session(
    ports: Ports, user: User, before: Ticket, now: int, *, proved: str | None = None, is_owner: bool = False
) -> tuple[str, Ticket]:
    """A session's token and ticket, in the place of the link or session ``before``.

    ``proved`` is the factor by whose proof it is made. With ``is_owner`` it was a factor that the person had before,
    and the session no longer hangs on the key by which its link was made.
    """
    data: dict[str, Any] = {SEEN: now} | ({PROVED: now, PROVED_BY: proved} if proved else {})
    key = before.data.get(KEY)
    if key is not None and not is_owner:
        data[KEY] = key
    return issue(
        ports,
        now,
        TicketKind.PORTAL_SESSION,
        root=user.id,
        user_id=user.id,
        application_id=before.application_id,
        ttl=SESSION_LIFE,
        data=data,
    )


def made_by(key_hash: bytes | None) -> dict[str, Any]:
    """The notes of a link that was made by this key."""
    return {} if key_hash is None else {KEY: key_hash.hex()}


async def _stands(ports: Ports, ticket: Ticket) -> bool:
    """Whether the application and the key that made the link are still in force: either may have been a thief's."""
    key = ticket.data.get(KEY)
    return await stands_by(ports, ticket.application_id, bytes.fromhex(key) if key else None)


async def enter(ports: Ports, token: str | None) -> Room:
    """Let a session in, and note now and then that it is in use. Raises ``SignedOut``."""
    room = await _admitted(ports, await ports.store.load(_key(token)))
    if ports.clock.now() - int(room.ticket.data[SEEN]) < SEEN_EVERY:
        return room

    async def seen(here: Room) -> Decided[None]:
        note = here.note(**{SEEN: ports.clock.now()})
        return Change(root=here.user.id, expected=here.snapshot.version, puts=(note,)), None

    await move(ports, token, seen)
    return room


async def move(
    ports: Ports,
    token: str | None,
    decide: Callable[[Room], Awaitable[Decided[T | Refusal]]],
    *,
    challenge: str | None = None,
) -> T:
    """Decide on the session's own user, and store it; ``challenge`` comes along. Raises ``SignedOut``."""

    async def on(snapshot: Snapshot) -> Decided[T | Refusal]:
        return await decide(await _admitted(ports, snapshot))

    return await settle(ports.store, msgspec.structs.replace(_key(token), challenge=challenge), on)


async def look(ports: Ports, token: str | None, *, challenge: str | None) -> Room:
    """The room with a challenge in its snapshot. Raises ``SignedOut``."""
    return await _admitted(ports, await ports.store.load(msgspec.structs.replace(_key(token), challenge=challenge)))


async def _admitted(ports: Ports, snapshot: Snapshot) -> Room:
    room = let_in(snapshot, ports.clock.now())
    if not await _stands(ports, room.ticket):
        raise SignedOut
    return room


async def sign_out(ports: Ports, token: str | None) -> None:
    """End the session; without one there is nothing to end."""

    async def decide(room: Room) -> Decided[None]:
        return Change(root=room.user.id, expected=room.snapshot.version, deletes=(room.ticket,)), None

    try:
        await move(ports, token, decide)
    except SignedOut:
        return


def let_in(snapshot: Snapshot, now: int) -> Room:
    """The room that a snapshot shows. Raises ``SignedOut``."""
    ticket, user = snapshot.ticket, snapshot.user
    if ticket is None or ticket.kind is not TicketKind.PORTAL_SESSION or user is None or not usable(user):
        raise SignedOut
    idle = now - int(ticket.data.get(SEEN, 0))
    # An idle time before its beginning: the clock was set back, and nobody knows how long it was.
    if now >= ticket.expires_at or not 0 <= idle < IDLE_LIFE:
        raise SignedOut
    return Room(snapshot, user, ticket)


def _key(token: str | None) -> UserKey:
    if token is None:
        raise SignedOut
    return UserKey(ticket=hash_of(token))
