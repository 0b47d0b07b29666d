"""What a process remembers holds while it is watched, and not a moment longer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

import pytest

from nightlatch.adapters.cache import CachedCatalog, CachedPolicies, FreshStore, Shared
from nightlatch.adapters.cache.shared import TRUSTED_FOR
from nightlatch.domain.crypto.sealing import Place, seal
from nightlatch.domain.errors import Unavailable
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Application, Factor, FactorStatus, IdempotentAnswer, PolicyVersion
from nightlatch.ports.catalog import KeptApplication, KeptKeys
from nightlatch.ports.store import Change, Outcome, Snapshot, UserKey


class StoppedClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.at = 1_800_000_000_000_000

    def now(self) -> int:
        return self.at


class Rows:
    """A catalog and store in memory that counts what it is asked."""

    def __init__(self) -> None:
        self.number = 1
        self.name = "bank"
        self.document: PolicyVersion | None = None
        self.factor: Factor | None = None
        self.asked = 0
        self.down = False
        self.slow = asyncio.Event()
        self.slow.set()

    async def generation(self) -> int:
        if self.down:
            raise Unavailable
        return self.number

    async def application(self, application_id: str) -> KeptApplication | None:
        self.asked += 1
        name = self.name
        await self.slow.wait()
        if application_id != "app_1":
            return None
        return KeptApplication(Application(id="app_1", name=name, created_at=0), (), 1)

    async def application_by_key(self, key_hash: bytes) -> KeptApplication | None:
        return await self.application("app_1" if key_hash == b"good" else "app_2")

    async def applications(self) -> Sequence[KeptApplication]:
        return []

    async def policy(self, version: int | None = None) -> PolicyVersion | None:
        self.asked += 1
        return self.document

    async def policy_versions(self, *, before: int | None, limit: int) -> Sequence[PolicyVersion]:
        return []

    async def keys(self) -> KeptKeys:
        return KeptKeys((), (), 0)

    async def idempotent_answer(self, id_: str) -> tuple[IdempotentAnswer, int] | None:
        return None

    async def load(self, key: UserKey) -> Snapshot:
        return Snapshot(root="usr_1", version=1, factors=(self.factor,) if self.factor else ())

    async def commit(self, change: Change) -> Outcome:
        return Outcome.APPLIED if change.expected else Outcome.CONFLICT

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def shared(rows: Rows, clock: StoppedClock) -> Shared:
    return Shared(rows, clock)


@pytest.fixture
def catalog(rows: Rows, shared: Shared) -> CachedCatalog:
    return CachedCatalog(rows, shared)


async def name_of(catalog: CachedCatalog) -> str:
    found = await catalog.application("app_1")
    assert found is not None
    return found.application.name


async def test_what_is_watched_is_asked_for_once(rows: Rows, shared: Shared, catalog: CachedCatalog) -> None:
    await shared.look()
    for _ in range(3):
        assert await name_of(catalog) == "bank"
        assert await catalog.application_by_key(b"good") is not None
        assert await catalog.policy() is None
    assert rows.asked == 3


async def test_a_change_by_another_process_is_seen_with_the_next_look(
    rows: Rows, shared: Shared, catalog: CachedCatalog
) -> None:
    await shared.look()
    await name_of(catalog)
    rows.name, rows.number = "renamed", 2
    assert await name_of(catalog) == "bank"
    await shared.look()
    assert await name_of(catalog) == "renamed"


@pytest.mark.requirement("G3")
async def test_nothing_is_remembered_while_nobody_watches(
    rows: Rows, clock: StoppedClock, shared: Shared, catalog: CachedCatalog
) -> None:
    """A watch that hangs or fails must not keep a revoked key alive."""
    await shared.look()
    await name_of(catalog)
    rows.name, rows.number, rows.down = "renamed", 2, True
    with pytest.raises(Unavailable):
        await shared.look()
    clock.at += TRUSTED_FOR
    assert await name_of(catalog) == "renamed"
    clock.at -= 10 * TRUSTED_FOR
    assert await name_of(catalog) == "renamed"


async def test_an_unknown_key_is_never_remembered_as_unknown(
    rows: Rows, shared: Shared, catalog: CachedCatalog
) -> None:
    await shared.look()
    for _ in range(3):
        assert await catalog.application_by_key(b"bad") is None
    assert rows.asked == 3


async def test_an_answer_that_was_under_way_during_a_change_is_not_kept(
    rows: Rows, shared: Shared, catalog: CachedCatalog
) -> None:
    await shared.look()
    rows.slow.clear()
    reading = asyncio.create_task(name_of(catalog))
    await asyncio.sleep(0)
    rows.name, rows.number = "renamed", 2
    await shared.look()
    rows.slow.set()
    assert await reading == "bank"
    assert await name_of(catalog) == "renamed"


async def test_a_shared_change_of_our_own_is_seen_at_once(rows: Rows, shared: Shared, catalog: CachedCatalog) -> None:
    store = FreshStore(rows, shared, lambda _: True)
    await shared.look()
    await name_of(catalog)
    rows.name = "renamed"
    await store.commit(Change(root="app_1", expected=0, shared=True))
    assert await name_of(catalog) == "bank"
    await store.commit(Change(root="app_1", expected=1, shared=True))
    assert await name_of(catalog) == "renamed"


@pytest.mark.requirement("K5")
async def test_a_snapshot_with_an_unknown_key_reloads_the_keys_once(rows: Rows, shared: Shared) -> None:
    known: set[str] = set()
    reloads = []

    async def reload() -> None:
        reloads.append(1)
        known.add("dk_2")

    shared.on_change(reload)
    sealed = seal(bytes(32), "dk_2", b"seed", aad=Place("factors", "fac_1", "usr_1", "sealed"), nonce=bytes(12))
    rows.factor = Factor(
        id="fac_1", user_id="usr_1", kind=FactorKind.TOTP, status=FactorStatus.ACTIVE, sealed=sealed, created_at=0
    )
    store = FreshStore(rows, shared, known.__contains__)
    for _ in range(3):
        await store.load(UserKey(user="usr_1"))
    assert reloads == [1]


async def test_a_policy_is_compiled_once_per_version_and_an_unreadable_one_is_no_policy(
    rows: Rows, shared: Shared, catalog: CachedCatalog
) -> None:
    policies = CachedPolicies(catalog)
    assert (await policies.current()).version == 0
    rows.document = PolicyVersion(version=3, text="mfa_enforcement: {all_users: true}", actor="system", created_at=0)
    first = await policies.current()
    assert first.version == 3
    assert await policies.current() is first
    rows.document = PolicyVersion(version=4, text="nonsense: true", actor="system", created_at=0)
    with pytest.raises(Unavailable, match="version 4"):
        await policies.current()
