"""Reads that list: pages of users, devices, sign-ins, events. Never the base of a decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from nightlatch.domain.records import Authentication, Device, Event, Factor, FactorState, Record, User


class UserFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which users. ``text`` is looked for at the start of user name and display name."""

    username: str | None = None
    group: str | None = None
    text: str | None = None


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events. ``since``/``until`` are instants (µs), until exclusive."""

    user_id: str | None = None
    application_id: str | None = None
    type: str | None = None
    since: int | None = None
    until: int | None = None


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event with its place in the gapless sequence."""

    seq: int
    event: Event


class Directory(Protocol):
    """Lists are ordered by id (users), newest first (devices, sign-ins) or ``seq`` (events)."""

    async def users(self, which: UserFilter, *, after: str | None, limit: int) -> Sequence[User]: ...

    async def user(self, id_or_username: str) -> User | None: ...

    async def factors(self, user_id: str) -> Sequence[tuple[Factor, FactorState | None]]: ...

    async def devices(self, user_id: str, application_id: str | None) -> Sequence[Device]: ...

    async def sign_ins(self, user_id: str, *, limit: int) -> Sequence[Authentication]: ...

    async def belongings(self, user_id: str, *, limit: int) -> Sequence[Record]:
        """What goes with a user beside factors: devices, networks, sign-ins, tickets, and messages that wait.

        Of each at most ``limit``.
        """
        ...

    async def events(self, which: EventFilter, *, after: int, limit: int) -> Sequence[LoggedEvent]: ...

    async def groups(self) -> Sequence[str]:
        """Every group that some user is in."""
        ...
