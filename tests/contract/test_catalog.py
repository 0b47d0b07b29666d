"""The contract of ``Catalog``, on each database."""

from __future__ import annotations

import pytest

from nightlatch.adapters.sql.catalog import SqlCatalog
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.domain.records import (
    KEYS_ROOT,
    POLICY_ROOT,
    ApiKey,
    Application,
    DataKey,
    IdempotentAnswer,
    PolicyVersion,
    SigningKey,
)
from nightlatch.ports.catalog import KeptApplication, KeptKeys
from nightlatch.ports.store import Change
from tests.support.databases import NOW


@pytest.fixture
def catalog(database: Database) -> SqlCatalog:
    """A catalog beside the store."""
    return SqlCatalog(database)


def a_key(application: str, hash_: bytes, created_at: int = NOW) -> ApiKey:
    """A key with one scope."""
    return ApiKey(hash=hash_, application_id=application, scopes=("authenticate",), created_at=created_at)


async def test_an_application_comes_with_all_its_keys_and_its_version(store: SqlStore, catalog: SqlCatalog) -> None:
    """By id, by any of its keys, and in the list; one without keys too."""
    bank = Application(id="app_1", name="Bank", return_urls=("https://bank.example/back",), created_at=NOW)
    keys = (a_key("app_1", b"1" * 32, NOW), a_key("app_1", b"2" * 32, NOW + 1))
    bare = Application(id="app_2", name="Bare", created_at=NOW)
    await store.commit(Change(root="app_1", expected=0, new=(bank, *keys), shared=True))
    await store.commit(Change(root="app_2", expected=0, new=(bare,), shared=True))
    await store.commit(Change(root="app_2", expected=1))

    assert await catalog.application("app_1") == KeptApplication(bank, keys, 1)
    assert await catalog.application_by_key(b"2" * 32) == KeptApplication(bank, keys, 1)
    assert await catalog.applications() == [KeptApplication(bank, keys, 1), KeptApplication(bare, (), 2)]
    assert await catalog.application("app_3") is None
    assert await catalog.application_by_key(b"3" * 32) is None


async def test_policy_versions_are_read_newest_first(store: SqlStore, catalog: SqlCatalog) -> None:
    """One by its number, the newest without, pages going back."""
    assert await catalog.policy() is None
    versions = [PolicyVersion(version=i, text=f"v{i}", actor="system", created_at=NOW) for i in range(1, 6)]
    for version in versions:
        await store.commit(Change(root=POLICY_ROOT, expected=version.version - 1, new=(version,), shared=True))

    assert await catalog.policy() == versions[4]
    assert await catalog.policy(2) == versions[1]
    assert await catalog.policy(6) is None
    assert await catalog.policy_versions(before=None, limit=2) == [versions[4], versions[3]]
    assert await catalog.policy_versions(before=4, limit=10) == [versions[2], versions[1], versions[0]]


async def test_keys_are_none_until_they_are_made(store: SqlStore, catalog: SqlCatalog) -> None:
    """Version 0 says that nobody made any, which is when they may be made."""
    assert await catalog.keys() == KeptKeys((), (), 0)
    data = DataKey(id="k1", wrapped=b"w", created_at=NOW)
    signing = SigningKey(kid="s1", sealed=b"s", public_jwk={"kty": "EC"}, created_at=NOW)
    await store.commit(Change(root=KEYS_ROOT, expected=0, new=(data, signing), shared=True))
    assert await catalog.keys() == KeptKeys((data,), (signing,), 1)


async def test_an_idempotent_answer_comes_with_its_version(store: SqlStore, catalog: SqlCatalog) -> None:
    """So that the next step can be a compare-and-set."""
    answer = IdempotentAnswer(id="idk_1", body_hash=b"h", created_at=NOW, expires_at=NOW + 1)
    await store.commit(Change(root="idk_1", expected=0, new=(answer,)))
    assert await catalog.idempotent_answer("idk_1") == (answer, 1)
    assert await catalog.idempotent_answer("idk_2") is None
