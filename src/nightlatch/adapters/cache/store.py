"""A store whose snapshots can always be opened with the keys at hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from nightlatch.adapters.cache.shared import Shared
from nightlatch.domain.crypto.sealing import SealBroken, key_id_of
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey


class FreshStore:
    """A ``Store`` that keeps what this process remembers in step with what it reads and writes.

    Decisions open what they need without waiting for anything, so the key ring must be up to date
    before they begin: a snapshot that names an unknown key reloads it once. Keys settle before
    they are used; this is for a clock that runs ahead. A shared change of our own is remembered
    by nobody a moment longer.
    """

    def __init__(self, store: Store, shared: Shared, knows: Callable[[str], bool]) -> None:
        self._store = store
        self._shared = shared
        self._knows = knows

    async def load(self, key: UserKey) -> Snapshot:
        """Load, and the keys with it where they are new."""
        snapshot = await self._store.load(key)
        if not all(map(self._opens, _sealed_values(snapshot))):
            await self._shared.reload()
        return snapshot

    async def commit(self, change: Change) -> Outcome:
        """As the store below does."""
        outcome = await self._store.commit(change)
        if change.shared and outcome is Outcome.APPLIED:
            await self._shared.reload()
        return outcome

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        """As the store below gives it."""
        return self._store.turn(root)

    def _opens(self, sealed: bytes) -> bool:
        try:
            return self._knows(key_id_of(sealed))
        except SealBroken:
            # Garbage: no reload mends it, and opening it will say so.
            return True


def _sealed_values(snapshot: Snapshot) -> list[bytes]:
    values = [factor.sealed for factor in snapshot.factors if factor.sealed]
    values += [challenge.sealed for challenge in snapshot.challenges if challenge.sealed]
    if snapshot.user is not None and snapshot.user.audit_key:
        values.append(snapshot.user.audit_key)
    return values
