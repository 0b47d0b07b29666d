"""Receipts: what they move, and how they are kept for some minutes when they come before their mark.

A gateway may tell that a message arrived before we have stored that the gateway took it. Such a receipt waits in the
table ``ephemeral``, which is swept. Nothing rests on it but the word ``delivered``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from nightlatch.adapters.sql.outbox_rows import Step
from nightlatch.adapters.sql.read import fetch, pick
from nightlatch.adapters.sql.tables import EPHEMERAL, OUTBOX
from nightlatch.domain.records import MessageStatus, OutboxMessage
from nightlatch.domain.time import MINUTE
from nightlatch.ports.outbox import Receipt, Tell

# A mark comes within the lease or never: then the message is sent again, and the gateway has another name for it.
KEEP = 5 * MINUTE
PAGE = 500

Name = tuple[str | None, str | None]
"""A gateway, and what it calls a message."""

_C = OUTBOX.table.c
_E = EPHEMERAL.c
_PREFIX = "receipt:"
_BEYOND = "receipt;"
_DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}

# What a receipt may still change. A phone may be reached after its gateway gave up.
_MOVES = {
    MessageStatus.DELIVERED: (MessageStatus.SENT, MessageStatus.DEAD),
    MessageStatus.DEAD: (MessageStatus.SENT,),
}


class Kept(NamedTuple):
    """A receipt that came early, and its key."""

    key: str
    receipt: Receipt


def newest_named(connection: Connection, names: Sequence[Name]) -> dict[Name, OutboxMessage]:
    """Messages by gateway and its name for them; gateways that begin anew with 1 use a name again."""
    named = pick(OutboxMessage).where(tuple_(_C.gateway, _C.reference).in_(names)).order_by(_C.id)
    return {(message.gateway, message.reference): message for message in fetch(connection, OutboxMessage, named)}


def moved_by(receipt: Receipt, message: OutboxMessage, now: int) -> OutboxMessage | None:
    """The message after this receipt; None where it changes nothing any more."""
    status = MessageStatus.DELIVERED if receipt.delivered else MessageStatus.DEAD
    if message.status not in _MOVES[status]:
        return None
    error = message.error if receipt.delivered else receipt.error or "not_delivered"
    return msgspec.structs.replace(message, status=status, error=error, done_at=now)


def step_between(before: OutboxMessage, after: OutboxMessage, tell: Tell) -> Step:
    """From one standing to the other, with its event."""
    return Step(
        id=before.id,
        was=before.status.value,
        lease=None,
        status=after.status.value,
        due_at=after.due_at,
        gateway=after.gateway,
        reference=after.reference,
        error=after.error,
        done_at=after.done_at,
        events=(tell(after),),
    )


def keep(connection: Connection, receipts: Sequence[Receipt], now: int) -> None:
    """That it arrived is the last word, in whichever order two of them come."""
    insert: Any = _DIALECTS[connection.dialect.name].insert(EPHEMERAL)
    replacing = insert.on_conflict_do_update(index_elements=["key"], set_={"value": insert.excluded.value})
    for statement, delivered in ((insert.on_conflict_do_nothing(), False), (replacing, True)):
        rows = [_row(receipt, now) for receipt in receipts if receipt.delivered is delivered]
        if rows:
            # In one order everywhere, so that two who keep the same never wait for each other in a ring.
            connection.execute(statement, sorted(rows, key=lambda row: str(row["key"])))


def _row(receipt: Receipt, now: int) -> dict[str, Any]:
    return {
        "key": f"{_PREFIX}{receipt.gateway}:{receipt.reference}",
        "value": msgspec.json.encode(receipt),
        "expires_at": now + KEEP,
    }


def read_kept(connection: Connection, after: str, now: int) -> list[Kept]:
    """A page of kept receipts."""
    young = (_E.key >= _PREFIX, _E.key < _BEYOND, _E.key > after, _E.expires_at > now)
    rows = connection.execute(select(_E.key, _E.value).where(*young).order_by(_E.key).limit(PAGE))
    return [Kept(row.key, msgspec.json.decode(row.value, type=Receipt)) for row in rows]


def forget(connection: Connection, keys: Sequence[str]) -> None:
    """Keep these no longer."""
    connection.execute(delete(EPHEMERAL).where(_E.key.in_(keys)))
