"""The phones of the past: what was texted to sample people then arrived then, and is never sent again."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager

import msgspec

from nightlatch.app.deliver.messages import message_place
from nightlatch.domain.records import OutboxMessage
from nightlatch.ports.keys import Sealer
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey
from nightlatch.ports.texting import SendRequest

_CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")


class PastStore:
    """A store whose changes carry no messages: those are read at once, as their owners did."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self.code = ""
        """Of the last text."""

    async def load(self, key: UserKey) -> Snapshot:
        """As the store does."""
        return await self._store.load(key)

    async def commit(self, change: Change) -> Outcome:
        """As the store does, without the messages."""
        for message in (record for record in change.new if isinstance(record, OutboxMessage)):
            self._read(message)
        kept = tuple(record for record in change.new if not isinstance(record, OutboxMessage))
        return await self._store.commit(msgspec.structs.replace(change, new=kept))

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        """As the store gives it."""
        return self._store.turn(root)

    def _read(self, message: OutboxMessage) -> None:
        payload = self._sealer.open(message.sealed or b"", message_place(message.id, message.user_id))
        found = _CODE.search(msgspec.json.decode(payload).get("text", ""))
        self.code = found[0] if found else self.code


class PastTexting:
    """Whatever was sent then was permitted then."""

    voip_numbers = False

    async def permit(self, _request: SendRequest, /) -> None:
        """Always."""
