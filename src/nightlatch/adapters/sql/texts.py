"""The port ``TextRecords``: figures from what each text left behind, counted when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from nightlatch.adapters.sql import tables as t
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.read import fetch, pick
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import SMS_ROOT, FactorStatus, MessageStatus, SmsPause
from nightlatch.domain.sms.pumping import Tally
from nightlatch.ports.texts import TextFigures

_SENDS, _OUTBOX, _FACTORS = t.SMS_SENDS.table.c, t.OUTBOX.table.c, t.FACTORS.table.c
_WEAK = (FactorKind.SMS.value, FactorKind.BACKUP_CODES.value)


class SqlTextRecords:
    """See ``ports.texts.TextRecords``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pause(self, prefix: str) -> SmsPause | None:
        """Of this prefix."""
        statement = pick(SmsPause).where(t.SMS_PAUSES.table.c.prefix == prefix)
        found = await self._database.read(lambda connection: fetch(connection, SmsPause, statement))
        return found[0] if found else None

    async def pauses(self) -> Sequence[SmsPause]:
        """By prefix."""
        statement = pick(SmsPause).order_by(t.SMS_PAUSES.table.c.prefix)
        return await self._database.read(lambda connection: fetch(connection, SmsPause, statement))

    async def tallies(self, since: int, until: int) -> Sequence[Tally]:
        """Of numbers that are not known yet."""
        statement = (
            select(_SENDS.prefix, func.count(), func.count(_SENDS.verified_at))
            .where(_SENDS.at >= since, _SENDS.at < until, ~_SENDS.trusted)
            .group_by(_SENDS.prefix)
        )

        def read(connection: Connection) -> list[Tally]:
            rows = connection.execute(statement)
            return [Tally(prefix=prefix, sent=sent, verified=verified) for prefix, sent, verified in rows]

        return await self._database.read(read)

    async def figures(self, since: int, until: int) -> Sequence[TextFigures]:
        """By country, prefix and gateway."""

        def those(*statuses: MessageStatus) -> Any:
            return func.sum(case((_OUTBOX.status.in_([status.value for status in statuses]), 1), else_=0))

        delivered = _OUTBOX.status == MessageStatus.DELIVERED.value
        statement = (
            select(
                _SENDS.country,
                _SENDS.prefix,
                _OUTBOX.gateway,
                func.count(),
                those(MessageStatus.SENT, MessageStatus.DELIVERED),
                those(MessageStatus.DELIVERED),
                those(MessageStatus.DEAD, MessageStatus.EXPIRED),
                func.count(_SENDS.verified_at),
                func.avg(case((delivered, _OUTBOX.done_at - _OUTBOX.created_at))),
            )
            .select_from(t.SMS_SENDS.table.outerjoin(t.OUTBOX.table, _OUTBOX.id == _SENDS.id))
            .where(_SENDS.at >= since, _SENDS.at < until)
            .group_by(_SENDS.country, _SENDS.prefix, _OUTBOX.gateway)
            .order_by(_SENDS.country, _SENDS.prefix, _OUTBOX.gateway)
        )

        def read(connection: Connection) -> list[TextFigures]:
            return [_figures(tuple(row)) for row in connection.execute(statement)]

        return await self._database.read(read)

    async def only_by_text(self) -> tuple[int, int]:
        """People, not factors."""
        strong = func.sum(case((_FACTORS.kind.in_(_WEAK), 0), else_=1))
        texts = func.sum(case((_FACTORS.kind == FactorKind.SMS.value, 1), else_=0))
        people = (
            select(strong.label("strong"), texts.label("texts"))
            .where(_FACTORS.status == FactorStatus.ACTIVE.value)
            .group_by(_FACTORS.user_id)
            .subquery()
        )
        only = func.sum(case((and_(people.c.strong == 0, people.c.texts > 0), 1), else_=0))

        def read(connection: Connection) -> tuple[int, int]:
            few, all_ = connection.execute(select(only, func.count()).select_from(people)).one()
            return int(few or 0), int(all_)

        return await self._database.read(read)

    async def version(self) -> int:
        """0 before the first pause."""
        statement = select(t.ROOTS.c.version).where(t.ROOTS.c.id == SMS_ROOT)
        return await self._database.read(lambda connection: int(connection.execute(statement).scalar() or 0))


def _figures(row: tuple[str, str, str | None, int, int, int, int, int, object]) -> TextFigures:
    country, prefix, gateway, asked, handed_over, delivered, failed, verified, latency = row
    return TextFigures(
        country=country,
        prefix=prefix,
        gateway=gateway,
        asked=asked,
        handed_over=int(handed_over or 0),
        delivered=int(delivered or 0),
        failed=int(failed or 0),
        verified=verified,
        latency=None if latency is None else int(latency),  # type: ignore[call-overload]  # int, float or Decimal
    )
