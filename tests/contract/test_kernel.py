"""Load, decide, commit: what a decision is made on, on each database."""

from __future__ import annotations

from nightlatch.adapters.sql.store import SqlStore
from nightlatch.app.kernel import Decided, transact
from nightlatch.ports.store import Change, Outcome, Snapshot, UserKey
from tests.support.databases import keep_person


async def test_what_was_seen_is_decided_on_and_anew_once_it_is_stale(store: SqlStore) -> None:
    """A snapshot at hand saves a load, and grants nothing that has changed since."""
    user, _ = await keep_person(store, "maya")
    key = UserKey(user=user.id)
    decided: list[Snapshot] = []

    async def decide(snapshot: Snapshot) -> Decided[int]:
        decided.append(snapshot)
        return Change(root=user.id, expected=snapshot.version), snapshot.version

    seen = await store.load(key)
    assert await transact(store, key, decide, seen=seen) == seen.version
    assert decided == [seen]
    assert decided[0] is seen

    decided.clear()
    assert await transact(store, key, decide, seen=seen) == seen.version + 1
    assert [snapshot.version for snapshot in decided] == [seen.version, seen.version + 1]
    assert (await store.load(key)).version == seen.version + 2
    assert await store.commit(Change(root=user.id, expected=seen.version)) is Outcome.CONFLICT
