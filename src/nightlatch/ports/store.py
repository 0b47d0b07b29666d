"""The store: load what a decision needs, commit what was decided.

Both calls may be coalesced with those of other requests into one statement; each still gets its
own answer. Between them the domain decides, on plain values, without holding a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Protocol

import msgspec

from nightlatch.domain.records import (
    Authentication,
    Challenge,
    Device,
    Event,
    Factor,
    FactorState,
    Record,
    SeenNetwork,
    Ticket,
    User,
)


class UserKey(msgspec.Struct, frozen=True, kw_only=True):
    """What to load. The root is found by the first of these that is given: ``user`` (an id),
    ``username``, ``authentication``, ``ticket``, ``factor``; the others narrow what comes along. ``challenge`` brings
    that one alone, and its authentication.
    """

    user: str | None = None
    username: str | None = None
    authentication: str | None = None
    ticket: bytes | None = None
    factor: str | None = None
    challenge: str | None = None
    device: bytes | None = None
    device_application: str | None = None
    network: str | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A consistent view of one root. ``version`` 0: nothing stored yet under this root.

    ``user`` is None for an unknown name and for the root of an unknown user's authentication.
    ``device`` matches the given hash as current or previous token, revoked ones included.
    """

    root: str | None
    version: int
    user: User | None = None
    factors: tuple[Factor, ...] = ()
    states: Mapping[str, FactorState] = {}
    authentication: Authentication | None = None
    challenges: tuple[Challenge, ...] = ()
    ticket: Ticket | None = None
    device: Device | None = None
    network: SeenNetwork | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one decision writes. Applied whole, if the root still has the expected version.

    ``puts`` insert or replace by primary key; ``deletes`` name a record whose key goes;
    ``sets_new`` are inserts that must not exist yet. ``shared`` marks a change of what processes
    cache (applications, keys, policy): it moves the generation that all of them watch.
    """

    root: str
    expected: int
    puts: tuple[Record, ...] = ()
    new: tuple[Record, ...] = ()
    deletes: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()
    shared: bool = False


class Outcome(Enum):
    """What became of a change."""

    APPLIED = "applied"
    CONFLICT = "conflict"


class Duplicate(Exception):
    """A unique key is taken; ``constraint`` is its name, such as ``users_username``."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class Store(Protocol):
    """Raises ``domain.errors.Unavailable`` when the database does not answer; the outcome of a
    commit is then unknown and nothing may be approved.
    """

    async def load(self, key: UserKey) -> Snapshot:
        """Load one root; an unknown one gives an empty snapshot, at the same cost."""
        ...

    async def commit(self, change: Change) -> Outcome:
        """Store a change whole, or nothing. Raises ``Duplicate``."""
        ...

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        """A place in the queue of those in this process that lost a race for this root.

        It saves work and decides nothing: the commit alone does. Raises ``Throttled`` for one too many.
        """
        ...
