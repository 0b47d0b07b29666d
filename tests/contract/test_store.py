"""The contract of ``Store``, on each database."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from sqlalchemy import Connection, select

from nightlatch.adapters.sql.catalog import SqlCatalog
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.read import fetch, pick
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.tables import AUDIT_QUEUE, EVENTS
from nightlatch.domain.errors import Invalid, Unavailable
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Address, Event, SeenNetwork
from nightlatch.ports.store import Change, Duplicate, Outcome, Snapshot, UserKey
from tests.support.databases import (
    NOW,
    a_challenge,
    a_device,
    a_factor,
    a_state,
    a_ticket,
    a_user,
    an_authentication,
    an_event,
    count_one_more,
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


async def test_a_stale_version_changes_nothing(store: SqlStore) -> None:
    """Neither rows nor version nor events."""
    user, factor = await keep_person(store, "maya")
    moved = a_state(factor, counter=7)
    assert await store.commit(Change(root=user.id, expected=1, puts=(moved,))) is Outcome.APPLIED

    late = Change(root=user.id, expected=1, puts=(a_state(factor, counter=9),), events=(an_event(user),))
    ahead = msgspec.structs.replace(late, expected=3)
    fresh = msgspec.structs.replace(late, expected=0)
    assert await asyncio.gather(*(store.commit(each) for each in (late, ahead, fresh))) == [Outcome.CONFLICT] * 3

    loaded = await store.load(UserKey(user=user.id))
    assert (loaded.version, loaded.states) == (2, {factor.id: moved})


async def test_a_version_of_a_root_that_is_not_there_conflicts(store: SqlStore) -> None:
    """Only version 0 makes a root."""
    assert await store.commit(Change(root="usr_none", expected=4)) is Outcome.CONFLICT
    assert (await store.load(UserKey(user="usr_none"))).version == 0


async def test_a_change_removes_rows(store: SqlStore) -> None:
    """A deleted record goes by its key; the rest stays."""
    user, factor = await keep_person(store, "maya")
    kept = a_factor(user)
    await store.commit(Change(root=user.id, expected=1, new=(kept,)))

    await store.commit(Change(root=user.id, expected=2, deletes=(factor, a_state(factor))))

    loaded = await store.load(UserKey(user=user.id))
    assert (loaded.factors, loaded.states, loaded.version) == ((kept,), {}, 3)


async def test_a_taken_name_is_told_and_nothing_is_kept(store: SqlStore) -> None:
    """The constraint has the same name on each database."""
    await keep_person(store, "maya")
    second = a_user("maya")

    with pytest.raises(Duplicate) as refused:
        await store.commit(Change(root=second.id, expected=0, new=(second,), events=(an_event(second),)))

    assert refused.value.constraint == "users_username"
    assert (await store.load(UserKey(user=second.id))).version == 0


async def test_a_new_row_must_not_exist(store: SqlStore) -> None:
    """``new`` never replaces."""
    user, factor = await keep_person(store, "maya")
    with pytest.raises(Duplicate) as refused:
        await store.commit(Change(root=user.id, expected=1, new=(factor,)))
    assert refused.value.constraint == "factors_id"


async def test_one_bad_item_harms_nobody_in_its_batch(store: SqlStore) -> None:
    """The batch is repeated item by item: all others are applied."""
    await keep_person(store, "taken")
    people = [a_user("taken" if i in (3, 11) else f"user{i}") for i in range(20)]
    changes = [Change(root=user.id, expected=0, new=(user,), events=(an_event(user),)) for user in people]

    answers = await asyncio.gather(*(store.commit(change) for change in changes), return_exceptions=True)

    assert [type(each) for each in answers].count(Duplicate) == 2
    for i, (user, answer) in enumerate(zip(people, answers, strict=True)):
        loaded = await store.load(UserKey(user=user.id))
        if i in (3, 11):
            assert isinstance(answer, Duplicate)
            assert loaded.version == 0
        else:
            assert answer is Outcome.APPLIED
            assert loaded.user == user


async def test_a_number_too_large_to_keep_harms_nobody(store: SqlStore) -> None:
    """It is its own change that is invalid."""
    user, factor = await keep_person(store, "maya")
    other, _ = await keep_person(store, "ravi")
    large = Change(root=user.id, expected=1, puts=(a_state(factor, counter=2**63),))

    answers = await asyncio.gather(
        store.commit(large), store.commit(Change(root=other.id, expected=1)), return_exceptions=True
    )

    assert isinstance(answers[0], Invalid)
    assert answers[1] is Outcome.APPLIED


async def test_each_item_of_a_batch_gets_its_own_answer(store: SqlStore) -> None:
    """Applied and stale changes in one batch do not mix up: each row belongs to an applied ordinal."""
    people = [await keep_person(store, f"user{i}") for i in range(30)]
    changes = [
        Change(root=user.id, expected=1 if i % 3 else 9, puts=(a_state(factor, counter=i),))
        for i, (user, factor) in enumerate(people)
    ]

    answers = await asyncio.gather(*(store.commit(change) for change in changes))

    assert answers == [Outcome.APPLIED if i % 3 else Outcome.CONFLICT for i in range(30)]
    for i, (user, factor) in enumerate(people):
        loaded = await store.load(UserKey(user=user.id))
        assert loaded.states[factor.id].counter == (i if i % 3 else -1)


@pytest.mark.requirement("T4")
async def test_of_many_changes_on_one_version_one_is_applied(store: SqlStore) -> None:
    """Sent at once by one process: exactly one wins, and its row is the one that is kept."""
    user, factor = await keep_person(store, "maya")
    changes = [Change(root=user.id, expected=1, puts=(a_state(factor, counter=i),)) for i in range(50)]

    answers = await asyncio.gather(*(store.commit(change) for change in changes))

    assert answers.count(Outcome.APPLIED) == 1
    loaded = await store.load(UserKey(user=user.id))
    assert (loaded.version, loaded.states[factor.id].counter) == (2, answers.index(Outcome.APPLIED))


@pytest.mark.requirement("H3")
async def test_no_update_is_lost_when_conflicts_decide_again(store: SqlStore) -> None:
    """Fifty read, decide and commit at once, and again after a conflict: the counter has moved fifty times."""
    _, factor = await keep_person(store, "maya")

    async def until_applied() -> None:
        while await count_one_more(store, "maya") is Outcome.CONFLICT:
            pass

    await asyncio.gather(*(until_applied() for _ in range(50)))

    loaded = await store.load(UserKey(username="maya"))
    assert (loaded.version, loaded.states[factor.id].counter) == (51, 49)


async def test_of_many_who_make_one_root_one_does(store: SqlStore) -> None:
    """The first request with an idempotency key runs; the others find it there."""
    answers = await asyncio.gather(*(store.commit(Change(root="idk_1", expected=0)) for _ in range(20)))
    assert answers.count(Outcome.APPLIED) == 1
    assert answers.count(Outcome.CONFLICT) == 19


async def test_only_shared_changes_move_the_generation(store: SqlStore, database: Database) -> None:
    """And only when they are applied."""
    catalog = SqlCatalog(database)
    before = await catalog.generation()
    await store.commit(Change(root="app_1", expected=0))
    assert await catalog.generation() == before
    await store.commit(Change(root="app_1", expected=1, shared=True))
    assert await catalog.generation() == before + 1
    await store.commit(Change(root="app_1", expected=1, shared=True))
    assert await catalog.generation() == before + 1


@pytest.mark.parametrize("text", ["a\0b", "\0", "a\ud800b"])
async def test_text_that_no_database_keeps_is_refused(store: SqlStore, text: str) -> None:
    """In a column, in JSON, and in a key to look up."""
    for user in (a_user(text), a_user("maya", groups=("staff", text))):
        with pytest.raises(Invalid):
            await store.commit(Change(root=user.id, expected=0, new=(user,)))
    with pytest.raises(Invalid):
        await store.load(UserKey(username=text))


async def test_a_backslash_before_u0000_is_no_such_character(store: SqlStore) -> None:
    r"""The six characters ``\u0000`` are ordinary text."""
    user = a_user("maya", groups=("\\u0000", "\\\\u0000"))
    await store.commit(Change(root=user.id, expected=0, new=(user,)))
    assert (await store.load(UserKey(user=user.id))).user == user


async def test_a_change_names_a_row_once(store: SqlStore) -> None:
    """What would come of two is not defined."""
    user, factor = await keep_person(store, "maya")
    with pytest.raises(ValueError, match="factor_state twice"):
        await store.commit(Change(root=user.id, expected=1, puts=(a_state(factor), a_state(factor, counter=3))))


async def test_a_caller_who_leaves_takes_nothing_from_the_others(store: SqlStore) -> None:
    """Cancelled while waiting; the batch goes on."""
    people = [await keep_person(store, f"user{i}") for i in range(10)]
    tasks = [asyncio.create_task(store.commit(Change(root=user.id, expected=1))) for user, _ in people]
    behind = asyncio.create_task(store.commit(Change(root=people[0][0].id, expected=2)))
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()

    answers = await asyncio.gather(*tasks, behind, return_exceptions=True)

    assert answers[1:10:2] == [Outcome.APPLIED] * 5
    assert isinstance(answers[10], Outcome)


async def test_a_closed_store_takes_nothing_more(store: SqlStore) -> None:
    """It says that it cannot, and approves nothing."""
    await store.close()
    with pytest.raises(Unavailable):
        await store.commit(Change(root="usr_1", expected=0))


async def test_events_are_kept_with_what_they_tell(store: SqlStore, database: Database) -> None:
    """In the same change, whole or not at all; each is queued for its place in the sequence."""
    user, _ = await keep_person(store, "maya")
    told = (an_event(user, data={"a": [1, None, "ü"]}, personal=b"sealed"), an_event(user, at=NOW + 40 * 86400 * 10**6))
    await store.commit(Change(root=user.id, expected=1, events=told))
    await store.commit(Change(root=user.id, expected=1, events=(an_event(user),)))

    def kept(connection: Connection) -> tuple[list[Event], list[str]]:
        events = fetch(connection, Event, pick(Event).order_by(EVENTS.table.c.id))
        queued = connection.execute(select(AUDIT_QUEUE.c.event_id).order_by(AUDIT_QUEUE.c.n)).scalars()
        return events, list(queued)

    events, queued = await database.read(kept)
    assert events == list(told)
    assert queued == [event.id for event in told]
