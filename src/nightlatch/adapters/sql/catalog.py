"""The port ``Catalog``: what processes cache, and the generation that tells them to look again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from nightlatch.adapters.sql import tables as t
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.mapping import refuse_unkept
from nightlatch.adapters.sql.read import cut, fetch, pick
from nightlatch.domain.records import (
    KEYS_ROOT,
    ApiKey,
    Application,
    DataKey,
    IdempotentAnswer,
    PolicyVersion,
    SigningKey,
)
from nightlatch.ports.catalog import KeptApplication, KeptKeys


class SqlCatalog:
    """See ``ports.catalog.Catalog``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def generation(self) -> int:
        """Raised by every shared change."""
        return await self._database.read(lambda c: c.execute(select(t.GENERATION.c.n)).scalar_one())

    async def application(self, application_id: str) -> KeptApplication | None:
        """By id."""
        refuse_unkept(application_id)
        found = await self._applications(t.APPLICATIONS.table.c.id == application_id)
        return found[0] if found else None

    async def application_by_key(self, key_hash: bytes) -> KeptApplication | None:
        """By the SHA-256 of one of its keys, revoked ones included."""
        keys = t.API_KEYS.table.c
        owner = select(keys.application_id).where(keys.hash == key_hash).scalar_subquery()
        found = await self._applications(t.APPLICATIONS.table.c.id == owner)
        return found[0] if found else None

    async def applications(self) -> Sequence[KeptApplication]:
        """All, by id, revoked ones included."""
        return await self._applications()

    async def _applications(self, *conditions: Any) -> list[KeptApplication]:
        applications, keys = t.APPLICATIONS.table, t.API_KEYS.table
        joined = applications.join(t.ROOTS, t.ROOTS.c.id == applications.c.id).outerjoin(
            keys, keys.c.application_id == applications.c.id
        )
        statement = pick(Application, ApiKey, also=[t.ROOTS.c.version]).select_from(joined).where(*conditions)
        statement = statement.order_by(applications.c.id, keys.c.created_at, keys.c.hash)
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        kept: dict[str, KeptApplication] = {}
        for row in rows:
            application, key = cut(row, t.APPLICATIONS, t.API_KEYS)
            before = kept.get(application.id)
            mine = (*(before.keys if before else ()), *((key,) if key else ()))
            kept[application.id] = KeptApplication(application, mine, row.version)
        return list(kept.values())

    async def policy(self, version: int | None = None) -> PolicyVersion | None:
        """This version, or the newest."""
        versions = t.POLICY_VERSIONS.table.c
        statement = pick(PolicyVersion).order_by(versions.version.desc()).limit(1)
        if version is not None:
            statement = statement.where(versions.version == version)
        found = await self._policies(statement)
        return found[0] if found else None

    async def policy_versions(self, *, before: int | None, limit: int) -> Sequence[PolicyVersion]:
        """Newest first, those before ``before``."""
        versions = t.POLICY_VERSIONS.table.c
        statement = pick(PolicyVersion).order_by(versions.version.desc()).limit(limit)
        if before is not None:
            statement = statement.where(versions.version < before)
        return await self._policies(statement)

    async def _policies(self, statement: Select[Any]) -> list[PolicyVersion]:
        return await self._database.read(lambda connection: fetch(connection, PolicyVersion, statement))

    async def keys(self) -> KeptKeys:
        """All data and signing keys, by id."""
        return await self._database.read(_keys)

    async def idempotent_answer(self, id_: str) -> tuple[IdempotentAnswer, int] | None:
        """The kept answer with the version of its root."""
        refuse_unkept(id_)
        answers = t.IDEMPOTENT_ANSWERS.table
        statement = pick(IdempotentAnswer, also=[t.ROOTS.c.version])
        statement = statement.join(t.ROOTS, t.ROOTS.c.id == answers.c.id).where(answers.c.id == id_)
        row = await self._database.read(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else (t.IDEMPOTENT_ANSWERS.mapping.of(row[:-1]), row.version)


def _keys(connection: Connection) -> KeptKeys:
    data_keys = fetch(connection, DataKey, pick(DataKey).order_by(t.DATA_KEYS.table.c.id))
    signing_keys = fetch(connection, SigningKey, pick(SigningKey).order_by(t.SIGNING_KEYS.table.c.kid))
    version = connection.execute(select(t.ROOTS.c.version).where(t.ROOTS.c.id == KEYS_ROOT)).scalar_one_or_none()
    return KeptKeys(tuple(data_keys), tuple(signing_keys), version or 0)
