"""The port ``Directory``: pages and lists."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    TableValuedAlias,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from nightlatch.adapters.sql import tables as t
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.mapping import refuse_unkept
from nightlatch.adapters.sql.outbox_rows import WAITING
from nightlatch.adapters.sql.read import cut, fetch, pick
from nightlatch.domain import ids
from nightlatch.domain.records import (
    Authentication,
    Device,
    Event,
    Factor,
    FactorState,
    OutboxMessage,
    Record,
    SeenNetwork,
    Ticket,
    User,
)
from nightlatch.ports.directory import EventFilter, LoggedEvent, UserFilter

R = TypeVar("R", bound=Record)

_LAST_CHARACTER = "\U0010ffff"


class SqlDirectory:
    """See ``ports.directory.Directory``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def users(self, which: UserFilter, *, after: str | None, limit: int) -> Sequence[User]:
        """By id, those behind ``after``."""
        users = t.USERS.table.c
        statement = pick(User).order_by(users.id).limit(limit)
        if after is not None:
            statement = statement.where(users.id > after)
        if which.username is not None:
            statement = statement.where(users.username == which.username)
        if which.group is not None:
            statement = statement.where(_in_group(self._database.dialect, which.group))
        if which.text is not None:
            begins = or_(_begins(users.username, which.text), _begins(users.display_name, which.text))
            statement = statement.where(begins)
        return await self._list(User, statement, which.username, which.group, which.text, after)

    async def user(self, id_or_username: str) -> User | None:
        """By id when it has the form of one, else by name."""
        users = t.USERS.table.c
        key = users.id if ids.is_id(id_or_username, ids.USER) else users.username
        found = await self._list(User, pick(User).where(key == id_or_username), id_or_username)
        return found[0] if found else None

    async def factors(self, user_id: str) -> Sequence[tuple[Factor, FactorState | None]]:
        """Each with its state, by id."""
        factors, states = t.FACTORS.table, t.FACTOR_STATE.table
        joined = factors.outerjoin(states, states.c.factor_id == factors.c.id)
        statement = pick(Factor, FactorState).select_from(joined)
        statement = statement.where(factors.c.user_id == user_id).order_by(factors.c.id)
        refuse_unkept(user_id)
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return [(factor, state) for factor, state in (cut(row, t.FACTORS, t.FACTOR_STATE) for row in rows)]

    async def devices(self, user_id: str, application_id: str | None) -> Sequence[Device]:
        """Newest first, revoked ones included."""
        devices = t.DEVICES.table.c
        statement = pick(Device).where(devices.user_id == user_id).order_by(devices.id.desc())
        if application_id is not None:
            statement = statement.where(devices.application_id == application_id)
        return await self._list(Device, statement, user_id, application_id)

    async def sign_ins(self, user_id: str, *, limit: int) -> Sequence[Authentication]:
        """Newest first. Those of unknown names have another root and are nobody's."""
        attempts = t.AUTHENTICATIONS.table.c
        newest = (attempts.created_at.desc(), attempts.id.desc())
        statement = pick(Authentication).where(attempts.root == user_id).order_by(*newest).limit(limit)
        return await self._list(Authentication, statement, user_id)

    async def belongings(self, user_id: str, *, limit: int) -> Sequence[Record]:
        """All in one read. What hangs on the root of an unknown name is nobody's."""
        refuse_unkept(user_id)
        owners: dict[type[Record], ColumnElement[bool]] = {
            Device: t.DEVICES.table.c.user_id == user_id,
            SeenNetwork: t.SEEN_NETWORKS.table.c.user_id == user_id,
            Authentication: t.AUTHENTICATIONS.table.c.root == user_id,
            Ticket: t.TICKETS.table.c.root == user_id,
            OutboxMessage: and_(t.OUTBOX.table.c.root == user_id, WAITING),
        }
        statements = {record: pick(record).where(owner).limit(limit) for record, owner in owners.items()}

        def read(connection: Connection) -> list[Record]:
            return [found for record, each in statements.items() for found in fetch(connection, record, each)]

        return await self._database.read(read)

    async def events(self, which: EventFilter, *, after: int, limit: int) -> Sequence[LoggedEvent]:
        """By place in the sequence, those behind ``after``."""
        log, events = t.AUDIT_LOG.c, t.EVENTS.table.c
        # The time comes first: it tells PostgreSQL the partition.
        together = and_(events.at == log.event_at, events.id == log.event_id)
        statement = pick(Event, also=[log.seq]).join(t.AUDIT_LOG, together)
        statement = statement.where(log.seq > after).order_by(log.seq).limit(limit)
        equal = {"user_id": which.user_id, "application_id": which.application_id, "type": which.type}
        for name, value in equal.items():
            if value is not None:
                refuse_unkept(value)
                statement = statement.where(events[name] == value)
        if which.since is not None:
            statement = statement.where(log.event_at >= which.since, events.at >= which.since)
        if which.until is not None:
            statement = statement.where(log.event_at < which.until, events.at < which.until)
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return [LoggedEvent(row.seq, t.EVENTS.mapping.of(row[:-1])) for row in rows]

    async def groups(self) -> Sequence[str]:
        """Every group that some user is in, sorted."""
        names = _group_names(self._database.dialect)
        statement = select(names.c.value).select_from(t.USERS.table.join(names, true())).distinct()
        rows = await self._database.read(lambda connection: connection.execute(statement).scalars().all())
        return sorted(rows)

    async def _list(self, record: type[R], statement: Select[Any], *texts: str | None) -> list[R]:
        for text in texts:
            if text is not None:
                refuse_unkept(text)
        return await self._database.read(partial(_fetch, record=record, statement=statement))


def _fetch(connection: Connection, record: type[R], statement: Select[Any]) -> list[R]:
    return fetch(connection, record, statement)


def _begins(name: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Whether the column begins with this text, however ASCII letters are written; both databases agree on those."""
    lowered, wanted = func.lower(name), func.lower(literal(text))
    return and_(lowered >= wanted, lowered < wanted.concat(_LAST_CHARACTER))


def _in_group(dialect: str, group: str) -> ColumnElement[bool]:
    names = _group_names(dialect)
    return exists(select(1).select_from(names).where(names.c.value == group))


def _group_names(dialect: str) -> TableValuedAlias:
    """The groups of a user as rows with one column, ``value``."""
    groups = t.USERS.table.c.groups
    if dialect == "sqlite":
        return func.json_each(groups).table_valued("value")
    return func.jsonb_array_elements_text(cast(groups, JSONB)).table_valued("value").render_derived()
