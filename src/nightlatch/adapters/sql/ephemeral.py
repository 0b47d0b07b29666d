"""The port ``Ephemeral`` in the database that everybody has. Each call is one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Executable, case, delete
from sqlalchemy.dialects import postgresql, sqlite

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.tables import EPHEMERAL
from nightlatch.ports.world import Clock

_DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}


class SqlEphemeral:
    """See ``ports.ephemeral.Ephemeral``. What has expired is as good as absent; the retention sweep removes it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # Both dialects spell INSERT … ON CONFLICT alike, on constructs of their own.
        self._insert: Any = _DIALECTS[database.dialect].insert

    async def put(self, key: str, value: bytes, *, ttl: int) -> None:
        """Set, whatever was there."""
        new = self._insert(EPHEMERAL).values(key=key, value=value, expires_at=self._clock.now() + ttl)
        await self._run(new.on_conflict_do_update(index_elements=["key"], set_=_replacing(new)))

    async def add_if_absent(self, key: str, value: bytes, *, ttl: int) -> bool:
        """Set if nothing is there; of many at once, one gets True."""
        now = self._clock.now()
        new = self._insert(EPHEMERAL).values(key=key, value=value, expires_at=now + ttl)
        add = new.on_conflict_do_update(
            index_elements=["key"], set_=_replacing(new), where=EPHEMERAL.c.expires_at <= now
        )
        return await self._run(add.returning(EPHEMERAL.c.key)) is not None

    async def take(self, key: str) -> bytes | None:
        """Return and remove."""
        gone = delete(EPHEMERAL).where(EPHEMERAL.c.key == key, EPHEMERAL.c.expires_at > self._clock.now())
        value: bytes | None = await self._run(gone.returning(EPHEMERAL.c.value))
        return value

    async def increment(self, key: str, *, by: int = 1, ttl: int) -> int:
        """Add and return the sum."""
        now, kept = self._clock.now(), EPHEMERAL.c
        new = self._insert(EPHEMERAL).values(key=key, number=by, expires_at=now + ttl)
        expired = kept.expires_at <= now
        changed = {
            "number": case((expired, new.excluded.number), else_=kept.number + new.excluded.number),
            "expires_at": case((expired, new.excluded.expires_at), else_=kept.expires_at),
        }
        add = new.on_conflict_do_update(index_elements=["key"], set_=changed).returning(kept.number)
        return int(await self._run(add))

    async def _run(self, statement: Executable) -> Any:
        """The first column of the row that the statement returns, or None."""

        def work(connection: Connection) -> Any:
            result = connection.execute(statement)
            return result.scalar_one_or_none() if result.returns_rows else None

        return await self._database.write(work)


def _replacing(new: Any) -> dict[str, Any]:
    return {"value": new.excluded.value, "number": None, "expires_at": new.excluded.expires_at}
