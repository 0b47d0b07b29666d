"""Phones that are paired for nobody: until the number they are answered as somebody's would be, and no number is right (H6).

Whoever reads a pairing picture could otherwise ask with its code whether there is an account. Such a phone is no row of
its own: all of it stands sealed in a ticket, which ends with the pairing and is swept with the others.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import msgspec
from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import leaf_of
from nightlatch.app.kept import keep, kept
from nightlatch.app.push.enroll import begin_pairing
from nightlatch.app.step_up import Leave
from nightlatch.app.tickets import hash_of
from nightlatch.domain.records import Challenge, Event, Factor, Record, Ticket, TicketKind, User, UserKind
from nightlatch.domain.time import holds
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey

_PHONE = "phone of nobody"
_MAC_BYTES = 32


class _Phone(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    factor: Factor
    challenge: Challenge | None = None


def begin_for_nobody(
    ports: Ports, caller: Caller, user_id: str, name: str, version: int, now: int
) -> tuple[str, tuple[Ticket, ...]]:
    """The id of a factor that is none, and the tickets that pair a phone with it. ``name`` is what nobody was called."""
    owner = _owner(user_id, name)
    snapshot = Snapshot(root=user_id, version=version)
    change, begun = begin_pairing(ports, caller, owner, snapshot, None, Leave(approved=False), now)
    factor = next(record for record in change.new if isinstance(record, Factor))
    code = next(record for record in change.new if isinstance(record, Ticket))
    hidden = Ticket(
        hash=_place(begun.id),
        kind=TicketKind.PAIRING,
        root=user_id,
        user_id=user_id,
        application_id=code.application_id,
        created_at=now,
        expires_at=code.expires_at,
    )
    return begun.id, (code, _with(ports, hidden, _Phone(name=name, factor=factor)))


async def phone_of_nobody(ports: Ports, factor_id: str) -> tuple[User, Factor, Ticket] | None:
    """As it stands, with the ticket that holds it; None once it is over."""
    snapshot = await PhoneStore(ports).load(UserKey(factor=factor_id))
    if snapshot.user is None or snapshot.ticket is None or not snapshot.factors:
        return None
    return snapshot.user, snapshot.factors[0], snapshot.ticket


class PhoneStore:
    """See ``ports.store.Store``: what phones load and change, where those of nobody are found as well.

    Of one request: it remembers what was loaded. Somebody's pairing costs the same look that nobody's does.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._store: Store = ports.store
        self._hidden: Ticket | None = None

    async def load(self, key: UserKey) -> Snapshot:
        """Nobody's phone comes with the ticket that holds it, where the key asks for no other."""
        snapshot = await self._store.load(key)
        factor_id = key.factor or _factor_of(snapshot.ticket)
        if factor_id is None or not _may_be_begun(snapshot, factor_id):
            return snapshot
        found = await self._store.load(UserKey(ticket=_place(factor_id)))
        if snapshot.user is not None or not _pairs(found.ticket):
            return snapshot
        return self._shown(snapshot, found, key)

    async def commit(self, change: Change) -> Outcome:
        """What is changed of nobody's phone goes back into its ticket."""
        if self._hidden is None or change.root != self._hidden.root:
            return await self._store.commit(change)
        phone = _phone(self._ports, self._hidden)
        tickets: list[Record] = []
        for record in (*change.puts, *change.new):
            if isinstance(record, Factor):
                phone = replace(phone, factor=record)
            elif isinstance(record, Challenge):
                # With a MAC that no number has.
                phone = replace(phone, challenge=replace(record, mac=self._ports.entropy.bytes(_MAC_BYTES)))
            elif isinstance(record, Ticket):
                tickets.append(record)
        events = tuple(_of_nobody(event) for event in change.events)
        puts = (*tickets, _with(self._ports, self._hidden, phone))
        return await self._store.commit(Change(root=change.root, expected=change.expected, puts=puts, events=events))

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        """As the store does."""
        return self._store.turn(root)

    def _shown(self, snapshot: Snapshot, found: Snapshot, key: UserKey) -> Snapshot:
        assert found.ticket is not None
        now = self._ports.clock.now()
        if not holds(found.ticket.created_at, found.ticket.expires_at, now):
            return snapshot
        self._hidden = found.ticket
        phone = _phone(self._ports, found.ticket)
        asked = phone.challenge is not None and key.challenge in (None, phone.challenge.id)
        return Snapshot(
            root=found.root,
            version=found.version,
            user=_owner(found.ticket.user_id, phone.name),
            factors=(phone.factor,),
            challenges=(phone.challenge,) if asked and phone.challenge is not None else (),
            ticket=snapshot.ticket or found.ticket,
        )


def _may_be_begun(snapshot: Snapshot, factor_id: str) -> bool:
    """Whether it is nobody's, or somebody's that does not count yet."""
    factor = next((factor for factor in snapshot.factors if factor.id == factor_id), None)
    return factor is None or factor.activated_at is None


def _factor_of(ticket: Ticket | None) -> str | None:
    return ticket.data.get("factor") if ticket is not None and _pairs(ticket) else None


def _pairs(ticket: Ticket | None) -> bool:
    return ticket is not None and ticket.kind is TicketKind.PAIRING


def _owner(user_id: str, name: str) -> User:
    return User(id=user_id, username=name, kind=UserKind.PERSON, created_at=0, updated_at=0)


def _place(factor_id: str) -> bytes:
    # No code is spelt so: whoever guesses one never finds this.
    return hash_of(f"{_PHONE}:{factor_id}")


def _phone(ports: Ports, hidden: Ticket) -> _Phone:
    return msgspec.json.decode(kept(ports, hidden.user_id, _PHONE, hidden.data[_PHONE]), type=_Phone)


def _with(ports: Ports, hidden: Ticket, phone: _Phone) -> Ticket:
    return replace(hidden, data={_PHONE: keep(ports, hidden.user_id, _PHONE, msgspec.json.encode(phone))})


def _of_nobody(event: Event) -> Event:
    bare = replace(event, user_id=None, personal=None, leaf=b"")
    return replace(bare, leaf=leaf_of(bare))
