"""The ring, the signer and the maker: what is sealed under which key, and when a key counts."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from argon2 import PasswordHasher
from joserfc import jwk, jws

from nightlatch.adapters.keys import (
    Argon2Hasher,
    Es256Signer,
    FreshKeys,
    KeyEncryptionKey,
    KeyRing,
    KeyUnusable,
)
from nightlatch.adapters.system import SystemEntropy
from nightlatch.domain.crypto.sealing import Place, SealBroken, UnknownKey, key_id_of
from nightlatch.domain.keys import ANNOUNCING, SETTLING, SUPERSEDED_FOR
from nightlatch.domain.time import HOUR
from nightlatch.ports.catalog import KeptKeys

PLACE = Place("factors", "fac_1", "usr_1", "sealed")


class StoppedClock:
    """A clock that moves when told to."""

    def __init__(self, at: int = 1_800_000_000_000_000) -> None:
        self.at = at

    def now(self) -> int:
        return self.at


class Keys:
    """A database's keys as its processes would see them."""

    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.kek = KeyEncryptionKey(bytes(range(32)), "key file here")
        self.maker = FreshKeys(self.kek, SystemEntropy())
        fresh = self.maker.make(self.clock.at)
        mac = self.maker.make_mac_key(self.clock.at)
        self.kept = KeptKeys((fresh.data_key, mac), (fresh.signing_key,), 1)

    def rotate(self) -> None:
        fresh = self.maker.make(self.clock.at)
        self.kept = KeptKeys(
            (*self.kept.data_keys, fresh.data_key),
            (*self.kept.signing_keys, fresh.signing_key),
            self.kept.version + 1,
        )

    def ring(self, kek: KeyEncryptionKey | None = None) -> KeyRing:
        ring = KeyRing(kek or self.kek, self.clock, SystemEntropy())
        ring.load(self.kept)
        return ring

    def signer(self) -> Es256Signer:
        signer = Es256Signer(self.ring(), self.clock)
        signer.load(self.kept)
        return signer


def published(signer: Es256Signer) -> list[str]:
    return [key["kid"] for key in signer.jwks()["keys"]]


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.mark.requirement("K1")
def test_a_sealed_value_opens_at_its_place_and_nowhere_else(keys: Keys) -> None:
    ring = keys.ring()
    sealed = ring.seal(b"seed", PLACE)
    assert ring.open(sealed, PLACE) == b"seed"
    assert b"seed" not in sealed
    for moved in (
        PLACE._replace(table="users"),
        PLACE._replace(row="fac_2"),
        PLACE._replace(user="usr_2"),
        PLACE._replace(column="public"),
    ):
        with pytest.raises(SealBroken):
            ring.open(sealed, moved)


@pytest.mark.requirement("K1")
def test_another_key_encryption_key_is_refused_with_both_names(keys: Keys) -> None:
    other = KeyEncryptionKey(bytes(32), "key file there")
    with pytest.raises(KeyUnusable, match=f"key file there is another key .{other.id}.*{keys.kek.id}"):
        keys.ring(other)


def test_a_data_key_that_was_exchanged_in_the_database_is_refused(keys: Keys) -> None:
    data, mac = keys.kept.data_keys
    swapped = msgspec.structs.replace(data, wrapped=mac.wrapped)
    keys.kept = msgspec.structs.replace(keys.kept, data_keys=(swapped, mac))
    with pytest.raises(KeyUnusable, match="was changed in the database"):
        keys.ring()


def test_an_empty_ring_seals_nothing(keys: Keys) -> None:
    ring = KeyRing(keys.kek, keys.clock, SystemEntropy())
    for use in (lambda: ring.seal(b"", PLACE), lambda: ring.digest("a", b""), ring.current_key_id):
        with pytest.raises(KeyUnusable):
            use()
    signer = Es256Signer(ring, keys.clock)
    with pytest.raises(KeyUnusable):
        signer.sign({}, "JWT")


@pytest.mark.requirement("K5")
def test_a_new_key_seals_after_every_process_has_had_time_to_load_it(keys: Keys) -> None:
    stale = keys.ring()
    first = stale.current_key_id()
    keys.clock.at += HOUR
    keys.rotate()
    fresh = keys.ring()
    assert fresh.current_key_id() == first
    assert stale.open(fresh.seal(b"x", PLACE), PLACE) == b"x"

    keys.clock.at += SETTLING
    assert fresh.current_key_id() != first
    sealed = fresh.seal(b"x", PLACE)
    with pytest.raises(UnknownKey):
        stale.open(sealed, PLACE)
    assert not stale.knows(key_id_of(sealed))


@pytest.mark.requirement("K5")
def test_digests_stay_the_same_over_rotation_and_differ_by_purpose(keys: Keys) -> None:
    before = keys.ring().digest("sms code", b"123456")
    keys.clock.at += HOUR
    keys.rotate()
    keys.clock.at += SETTLING
    assert keys.ring().digest("sms code", b"123456") == before
    assert keys.ring().digest("mail code", b"123456") != before


def test_an_assertion_is_a_jws_that_joserfc_verifies(keys: Keys) -> None:
    signer = keys.signer()
    token = signer.sign({"sub": "usr_1"}, "nightlatch-assertion+jwt")
    (public,) = signer.jwks()["keys"]
    checked = jws.deserialize_compact(token, jwk.import_key(public), algorithms=["ES256"])
    assert checked.headers() == {"alg": "ES256", "kid": public["kid"], "typ": "nightlatch-assertion+jwt"}
    assert msgspec.json.decode(checked.payload) == {"sub": "usr_1"}
    assert public["kid"] == jwk.import_key(public).thumbprint()
    assert "d" not in public


def test_a_signing_key_is_published_long_before_it_signs_and_for_a_while_after(keys: Keys) -> None:
    first = keys.signer().current_kid()
    keys.clock.at += HOUR
    keys.rotate()
    signer = keys.signer()
    second = keys.kept.signing_keys[-1].kid
    assert signer.current_kid() == first
    assert published(signer) == [second, first]

    keys.clock.at += ANNOUNCING - 1
    assert signer.current_kid() == first
    keys.clock.at += 1
    assert signer.current_kid() == second
    assert published(signer) == [second, first]
    keys.clock.at += SUPERSEDED_FOR
    assert published(signer) == [second]


def test_a_withdrawn_signing_key_neither_signs_nor_verifies(keys: Keys) -> None:
    keys.rotate()
    old, new = keys.kept.signing_keys
    withdrawn = msgspec.structs.replace(old, retired_at=keys.clock.at, sealed=b"")
    keys.kept = msgspec.structs.replace(keys.kept, signing_keys=(withdrawn, new))
    signer = keys.signer()
    assert signer.current_kid() == new.kid
    assert published(signer) == [new.kid]


@pytest.mark.requirement("K2")
async def test_a_hash_of_other_parameters_still_verifies() -> None:
    """Parameters stand in the hash. A code is used once, so none is ever hashed anew: the next set has the new ones."""
    older = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=2).hash("a code")
    hasher = Argon2Hasher(threads=1)
    assert await hasher.verify(older, "a code")
    assert not await hasher.verify(older, "another code")
    hasher.close()


@pytest.mark.requirement("L2")
async def test_slow_hashes_are_argon2id_with_the_stated_cost() -> None:
    hasher = Argon2Hasher(threads=1)
    hashed = await hasher.hash("a code")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await hasher.verify(hashed, "a code")
    assert not await hasher.verify(hashed, "another code")
    hasher.close()


@pytest.mark.requirement("H6")
async def test_the_dummy_costs_one_verification_from_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = Argon2Hasher(threads=1)
    judged = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            judged.append(hash)
            return super().verify(hash, password)

    monkeypatch.setattr(hasher, "_hasher", Counting())
    await hasher.dummy()
    assert len(judged) == 1
    hasher.close()
