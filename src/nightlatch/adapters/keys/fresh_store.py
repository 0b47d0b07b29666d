"""A store whose snapshots can always be opened with the keys at hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nightlatch.adapters.keys.keyring import KeyRing
from nightlatch.domain.crypto.sealing import SealBroken, key_id_of
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey


class FreshStore:
    """A ``Store`` that reloads the key ring once when a snapshot names a key unknown here.

    Decisions open what they need without waiting for anything, so the ring must be up to date
    before they begin. Keys settle before they are used; this is for a clock that runs ahead.
    """

    def __init__(self, store: Store, ring: KeyRing, reload: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._ring = ring
        self._reload = reload

    async def load(self, key: UserKey) -> Snapshot:
        """Load, and the keys with it where they are new."""
        snapshot = await self._store.load(key)
        if not all(map(self._opens, _sealed_values(snapshot))):
            await self._reload()
        return snapshot

    async def commit(self, change: Change) -> Outcome:
        """As the store below."""
        return await self._store.commit(change)

    def _opens(self, sealed: bytes) -> bool:
        try:
            return self._ring.knows(key_id_of(sealed))
        except SealBroken:
            # Garbage: no reload mends it, and opening it will say so.
            return True


def _sealed_values(snapshot: Snapshot) -> list[bytes]:
    values = [factor.sealed for factor in snapshot.factors if factor.sealed]
    if snapshot.user is not None and snapshot.user.audit_key:
        values.append(snapshot.user.audit_key)
    return values
