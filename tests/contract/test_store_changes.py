"""What ``Store`` makes of changes, on each database."""

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
from nightlatch.domain.records import Event
from nightlatch.ports.store import Change, Duplicate, Outcome, UserKey
from tests.support.databases import (
    NOW,
    a_factor,
    a_state,
    a_user,
    an_event,
    count_one_more,
    keep_person,
)


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
