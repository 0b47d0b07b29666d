"""What ``Store`` loads, on each database."""

from __future__ import annotations

import asyncio

import pytest

from nightlatch.adapters.sql.store import SqlStore
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Address, SeenNetwork
from nightlatch.ports.store import Change, Outcome, Snapshot, UserKey
from tests.support.databases import (
    NOW,
    a_challenge,
    a_device,
    a_factor,
    a_state,
    a_ticket,
    a_user,
    an_authentication,
    keep_person,
)


async def test_an_unknown_name_gives_an_empty_snapshot(store: SqlStore) -> None:
    """Nobody of that name: no root, version 0."""
    assert await store.load(UserKey(username="nobody")) == Snapshot(root=None, version=0)


async def test_an_unknown_id_gives_version_zero_of_that_root(store: SqlStore) -> None:
    """An id names its root, stored or not."""
    assert await store.load(UserKey(user="usr_1")) == Snapshot(root="usr_1", version=0)


async def test_what_was_committed_is_loaded_by_id_and_by_name(store: SqlStore) -> None:
    """Every field comes back as it went in."""
    user = a_user(
        "müller", display_name="Ärger \"Ü\" 😀", groups=("staff", "ops"), emails=(Address("a@b.example", NOW),),
        networks=("192.0.2.0/24",), audit_key=bytes(range(256)),
    )  # fmt: skip
    totp, codes = a_factor(user, label="Phone", public={"digits": 6}), a_factor(user, FactorKind.BACKUP_CODES)
    states = (a_state(totp, counter=2**40, stopped=True), a_state(codes, last_used_at=NOW))
    new = Change(root=user.id, expected=0, new=(user, totp, codes, *states))

    assert await store.commit(new) is Outcome.APPLIED

    expected = Snapshot(
        root=user.id, version=1, user=user, factors=(totp, codes), states={each.factor_id: each for each in states}
    )
    assert await store.load(UserKey(user=user.id)) == expected
    assert await store.load(UserKey(username="müller")) == expected


async def test_an_attempt_brings_its_challenges_and_its_person(store: SqlStore) -> None:
    """By the authentication's id alone, or by a ticket that names it."""
    user, factor = await keep_person(store, "maya")
    attempt = an_authentication(user, reasons=[{"code": "policy"}], amr=("otp",), action_details={"amount": "1"})
    first, second = a_challenge(attempt, factor), a_challenge(attempt, factor, used_at=NOW)
    ticket = a_ticket(b"t" * 32, user.id, authentication_id=attempt.id)
    await store.commit(Change(root=user.id, expected=1, new=(attempt, first, second, ticket)))

    by_id = await store.load(UserKey(authentication=attempt.id))
    assert (by_id.root, by_id.version, by_id.user, by_id.authentication) == (user.id, 2, user, attempt)
    assert sorted(by_id.challenges, key=lambda each: each.id) == [first, second]
    assert by_id.factors == (factor,)
    assert by_id.ticket is None

    by_ticket = await store.load(UserKey(ticket=b"t" * 32))
    assert (by_ticket.ticket, by_ticket.authentication, by_ticket.user) == (ticket, attempt, user)
    assert len(by_ticket.challenges) == 2


async def test_only_the_newest_challenges_come_along(store: SqlStore) -> None:
    """However many an application asks for, a load stays small."""
    user, factor = await keep_person(store, "maya")
    attempt = an_authentication(user)
    many = tuple(a_challenge(attempt, factor) for _ in range(40))
    await store.commit(Change(root=user.id, expected=1, new=(attempt, *many)))

    loaded = (await store.load(UserKey(authentication=attempt.id))).challenges

    assert {each.id for each in loaded} == {each.id for each in many[-32:]}


async def test_a_factor_finds_its_person_and_one_challenge_of_theirs(store: SqlStore) -> None:
    """A phone knows its own factor and the challenge that it answers; the attempt comes with the challenge."""
    user, factor = await keep_person(store, "maya")
    attempt = an_authentication(user)
    first, second = a_challenge(attempt, factor, mac=b"m" * 32, data={"nonce": "n"}), a_challenge(attempt, factor)
    await store.commit(Change(root=user.id, expected=1, new=(attempt, first, second)))

    alone = await store.load(UserKey(factor=factor.id))
    assert (alone.root, alone.version, alone.user, alone.factors) == (user.id, 2, user, (factor,))
    assert (alone.authentication, alone.challenges) == (None, ())

    for key in (UserKey(factor=factor.id, challenge=first.id), UserKey(user=user.id, challenge=first.id)):
        loaded = await store.load(key)
        assert (loaded.user, loaded.authentication, loaded.challenges) == (user, attempt, (first,))

    assert await store.load(UserKey(factor="fac_none", challenge=first.id)) == Snapshot(root=None, version=0)


async def test_a_challenge_without_an_attempt_comes_alone(store: SqlStore) -> None:
    """Pairing a phone is no sign-in; its ticket names the challenge."""
    user, factor = await keep_person(store, "maya")
    challenge = a_challenge(an_authentication(user), factor)
    await store.commit(Change(root=user.id, expected=1, new=(challenge, a_ticket(b"t" * 32, user.id))))

    loaded = await store.load(UserKey(ticket=b"t" * 32, challenge=challenge.id))

    assert (loaded.user, loaded.authentication, loaded.challenges) == (user, None, (challenge,))


async def test_a_challenge_of_somebody_else_never_comes_along(store: SqlStore) -> None:
    """Nor does its attempt, in one batch with whoever may have it."""
    maya, phone = await keep_person(store, "maya")
    ravi, other = await keep_person(store, "ravi")
    attempt = an_authentication(ravi)
    theirs = a_challenge(attempt, other)
    await store.commit(Change(root=ravi.id, expected=1, new=(attempt, theirs)))

    keys = [UserKey(factor=each, challenge=theirs.id) for each in (phone.id, other.id)]
    hers, his = await asyncio.gather(*(store.load(key) for key in keys))

    assert (hers.user, hers.authentication, hers.challenges) == (maya, None, ())
    assert (his.user, his.authentication, his.challenges) == (ravi, attempt, (theirs,))


@pytest.mark.requirement("H6")
async def test_an_attempt_of_an_unknown_name_is_its_own_root(store: SqlStore) -> None:
    """It is decided on like any other, with nobody behind it."""
    attempt = an_authentication()
    assert await store.commit(Change(root=attempt.id, expected=0, new=(attempt,))) is Outcome.APPLIED

    loaded = await store.load(UserKey(authentication=attempt.id))

    assert loaded == Snapshot(root=attempt.id, version=1, authentication=attempt)


async def test_what_belongs_to_another_root_never_comes_along(store: SqlStore) -> None:
    """An attempt, ticket, device or network of somebody else is as good as none."""
    maya, _ = await keep_person(store, "maya")
    ravi, _ = await keep_person(store, "ravi")
    attempt = an_authentication(ravi)
    theirs = (
        attempt,
        a_ticket(b"t" * 32, ravi.id, authentication_id=attempt.id),
        a_device(ravi, b"d" * 32),
        SeenNetwork(user_id=ravi.id, network="192.0.2.0/24", last_at=NOW),
    )
    await store.commit(Change(root=ravi.id, expected=1, new=theirs))

    loaded = await store.load(
        UserKey(username="maya", authentication=attempt.id, ticket=b"t" * 32, device=b"d" * 32, network="192.0.2.0/24")
    )

    assert loaded.user == maya
    nothing = (loaded.authentication, loaded.ticket, loaded.device, loaded.network)
    assert nothing == (None, None, None, None)


async def test_the_first_key_decides_even_when_it_finds_nothing(store: SqlStore) -> None:
    """An unknown name does not fall through to the owner of an attempt."""
    user, _ = await keep_person(store, "maya")
    attempt = an_authentication(user)
    await store.commit(Change(root=user.id, expected=1, new=(attempt,)))

    loaded = await store.load(UserKey(username="nobody", authentication=attempt.id))

    assert loaded == Snapshot(root=None, version=0)


async def test_a_device_is_known_by_its_token_and_the_one_before(store: SqlStore) -> None:
    """Revoked ones come too, so that theft can be told; those of another application do not."""
    user, _ = await keep_person(store, "maya")
    device = a_device(user, b"n" * 32, previous_hash=b"p" * 32, revoked_at=NOW)
    await store.commit(Change(root=user.id, expected=1, new=(device,)))

    async def found(token_hash: bytes, application: str | None = None) -> object:
        return (await store.load(UserKey(user=user.id, device=token_hash, device_application=application))).device

    assert await found(b"n" * 32) == device
    assert await found(b"p" * 32, "app_1") == device
    assert await found(b"p" * 32, "app_2") is None
    assert await found(b"x" * 32) is None


async def test_a_network_comes_when_it_was_seen(store: SqlStore) -> None:
    """Only the prefix that is asked for."""
    user, _ = await keep_person(store, "maya")
    seen = SeenNetwork(user_id=user.id, network="192.0.2.0/24", last_at=NOW)
    await store.commit(Change(root=user.id, expected=1, puts=(seen,)))

    assert (await store.load(UserKey(user=user.id, network="192.0.2.0/24"))).network == seen
    assert (await store.load(UserKey(user=user.id, network="198.51.100.0/24"))).network is None


async def test_keys_of_every_kind_share_a_batch(store: SqlStore) -> None:
    """Each gets the answer to its own question, in whatever company."""
    people = [await keep_person(store, f"user{i}") for i in range(5)]
    keys = [UserKey(username=user.username) for user, _ in people]
    keys += [UserKey(user=user.id, device=b"d" * 32) for user, _ in people]
    keys += [UserKey(authentication="atn_none"), UserKey(ticket=b"none"), UserKey(username="nobody", network="::/48")]
    keys += [UserKey(factor="fac_none", challenge="chl_none")]

    loaded = await asyncio.gather(*(store.load(key) for key in keys))

    assert [each.user for each in loaded[:10]] == [user for user, _ in people] * 2
    assert [each.root for each in loaded[10:]] == [None] * 4
