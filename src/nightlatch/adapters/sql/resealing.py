"""Finding what is sealed under older data keys.

A sealed value begins with the id of its key, so the database can tell without opening anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, Select, and_, func, or_, select

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.tables import FACTORS, IDEMPOTENT_ANSWERS, OUTBOX, USERS
from nightlatch.domain.crypto.sealing import header_of

_USERS, _FACTORS, _ANSWERS, _MESSAGES = USERS.table, FACTORS.table, IDEMPOTENT_ANSWERS.table, OUTBOX.table


class SqlResealing:
    """A ``Resealing``: each call is one statement that walks a primary key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def users(self, key_id: str, *, after: str, limit: int) -> Sequence[str]:
        """Users with an audit key or a factor under another key, in order of id."""
        query = _page(_USERS.c.id, _user_is_stale(key_id), after, limit)
        return await self._database.read(lambda connection: connection.execute(query).scalars().all())

    async def answers(self, key_id: str, *, after: str, limit: int) -> Sequence[str]:
        """Idempotent answers under another key, in order of id."""
        query = _page(_ANSWERS.c.id, _is_stale(_ANSWERS.c.sealed, key_id), after, limit)
        return await self._database.read(lambda connection: connection.execute(query).scalars().all())

    async def messages(self, key_id: str, *, after: str, limit: int) -> Sequence[str]:
        """Messages under another key, in order of id; those that were sent have no payload any more."""
        query = _page(_MESSAGES.c.id, _is_stale(_MESSAGES.c.sealed, key_id), after, limit)
        return await self._database.read(lambda connection: connection.execute(query).scalars().all())

    async def remaining(self, key_id: str) -> int:
        """How many users, answers and messages there are under other keys."""
        counts = (
            select(func.count()).select_from(_USERS).where(_user_is_stale(key_id)),
            select(func.count()).select_from(_ANSWERS).where(_is_stale(_ANSWERS.c.sealed, key_id)),
            select(func.count()).select_from(_MESSAGES).where(_is_stale(_MESSAGES.c.sealed, key_id)),
        )
        return await self._database.read(
            lambda connection: sum(int(connection.execute(count).scalar_one()) for count in counts)
        )


def _page(id_: Column[str], stale: ColumnElement[bool], after: str, limit: int) -> Select[str]:
    return select(id_).where(id_ > after, stale).order_by(id_).limit(limit)


def _user_is_stale(key_id: str) -> ColumnElement[bool]:
    factors = select(_FACTORS.c.id).where(_FACTORS.c.user_id == _USERS.c.id, _is_stale(_FACTORS.c.sealed, key_id))
    return or_(_is_stale(_USERS.c.audit_key, key_id), factors.exists())


def _is_stale(sealed: Column[bytes], key_id: str) -> ColumnElement[bool]:
    """Something is there (an erased value is empty), and it names another key."""
    header = header_of(key_id)
    return and_(func.length(sealed) > 0, func.substr(sealed, 1, len(header)) != header)
