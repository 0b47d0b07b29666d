"""Receipts: matched with the message that they are for, or kept for some minutes until its mark comes.

A gateway may tell that a message arrived before we have stored that the gateway took it. Such a receipt waits in the
table ``ephemeral``, which is swept. Nothing rests on it but the word ``delivered``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from nightlatch.adapters.sql.outbox_rows import add_events
from nightlatch.adapters.sql.read import fetch, pick
from nightlatch.adapters.sql.tables import EPHEMERAL, OUTBOX
from nightlatch.domain.records import MessageStatus, OutboxMessage
from nightlatch.domain.time import MINUTE
from nightlatch.ports.outbox import Receipt, Tell

# A mark comes within the lease or never: then the message is sent again, and the gateway has another name for it.
KEEP = 5 * MINUTE
PAGE = 500

_ROWS = OUTBOX.table
_C = _ROWS.c
_E = EPHEMERAL.c
_PREFIX = "receipt:"
_BEYOND = "receipt;"
_DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}

# What a receipt may still change. A phone may be reached after its gateway gave up.
_MOVES = {
    MessageStatus.DELIVERED: (MessageStatus.SENT, MessageStatus.DEAD),
    MessageStatus.DEAD: (MessageStatus.SENT,),
}


class Told(NamedTuple):
    """A receipt, and how its event is made."""

    receipt: Receipt
    tell: Tell


class Kept(NamedTuple):
    """A receipt that came early, and its key."""

    key: str
    receipt: Receipt


def receive(connection: Connection, told: Sequence[Told], now: int) -> list[OutboxMessage | None]:
    """The message that each receipt moved; what moved none is kept."""
    moved = _move(connection, told, now)
    _keep(connection, [one.receipt for one, message in zip(told, moved, strict=True) if message is None], now)
    return moved


def read_kept(connection: Connection, after: str, now: int) -> list[Kept]:
    """A page of kept receipts."""
    young = (_E.key >= _PREFIX, _E.key < _BEYOND, _E.key > after, _E.expires_at > now)
    rows = connection.execute(select(_E.key, _E.value).where(*young).order_by(_E.key).limit(PAGE))
    return [Kept(row.key, msgspec.json.decode(row.value, type=Receipt)) for row in rows]


def settle(connection: Connection, kept: Sequence[Kept], tell: Tell, now: int) -> list[OutboxMessage]:
    """Apply those whose marks have come, and keep them no longer; the messages that they moved."""
    moved = _move(connection, [Told(one.receipt, tell) for one in kept], now)
    done = [one.key for one, message in zip(kept, moved, strict=True) if message is not None]
    if done:
        connection.execute(delete(EPHEMERAL).where(_E.key.in_(done)))
    return [message for message in moved if message is not None]


def _move(connection: Connection, told: Sequence[Told], now: int) -> list[OutboxMessage | None]:
    newest = _newest(connection, {(one.receipt.gateway, one.receipt.reference) for one in told})
    moved: list[OutboxMessage | None] = []
    events = []
    for receipt, tell in told:
        status = MessageStatus.DELIVERED if receipt.delivered else MessageStatus.DEAD
        name = (receipt.gateway, receipt.reference)
        message = newest.get(name)
        if message is None or message.status not in _MOVES[status]:
            moved.append(None)
            continue
        error = message.error if receipt.delivered else receipt.error or "not_delivered"
        message = msgspec.structs.replace(message, status=status, error=error, done_at=now)
        newest[name] = message
        moved.append(message)
        events.append(tell(message))
    changed = {message.id: message for message in moved if message is not None}
    if changed:
        connection.execute(_MOVED, [_values(message) for message in changed.values()])
        add_events(connection, events)
    return moved


_MOVED = (
    update(_ROWS)
    .where(_C.id == bindparam("which"))
    .values(status=bindparam("status"), error=bindparam("error"), done_at=bindparam("done_at"))
)


def _values(message: OutboxMessage) -> dict[str, Any]:
    return {
        "which": message.id,
        "status": message.status.value,
        "error": message.error,
        "done_at": message.done_at,
    }


def _newest(connection: Connection, names: set[tuple[str, str]]) -> dict[tuple[str | None, str | None], OutboxMessage]:
    """Messages by gateway and its name for them; gateways that begin anew with 1 use a name again."""
    named = pick(OutboxMessage).where(tuple_(_C.gateway, _C.reference).in_(sorted(names)))
    found = fetch(connection, OutboxMessage, named.order_by(_C.id).with_for_update())
    return {(message.gateway, message.reference): message for message in found}


def _keep(connection: Connection, receipts: Sequence[Receipt], now: int) -> None:
    """That it arrived is the last word, in whichever order two of them come."""
    insert: Any = _DIALECTS[connection.dialect.name].insert(EPHEMERAL)
    replacing = insert.on_conflict_do_update(index_elements=["key"], set_={"value": insert.excluded.value})
    for statement, delivered in ((insert.on_conflict_do_nothing(), False), (replacing, True)):
        rows = [_kept(receipt, now) for receipt in receipts if receipt.delivered is delivered]
        if rows:
            connection.execute(statement, sorted(rows, key=lambda row: str(row["key"])))


def _kept(receipt: Receipt, now: int) -> dict[str, Any]:
    return {
        "key": f"{_PREFIX}{receipt.gateway}:{receipt.reference}",
        "value": msgspec.json.encode(receipt),
        "expires_at": now + KEEP,
    }
