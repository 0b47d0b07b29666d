"""The contract of ``Directory``, on each database."""

from __future__ import annotations

import pytest

from nightlatch.adapters.sql.directory import SqlDirectory
from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.sequencer import Sequencer
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.domain.errors import Invalid
from nightlatch.domain.records import MessageStatus, SeenNetwork, TicketKind, User
from nightlatch.ports.directory import EventFilter, UserFilter
from nightlatch.ports.store import Change
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
    keep_person,
)
from tests.support.outbox import a_message


@pytest.fixture
def directory(database: Database) -> SqlDirectory:
    """A directory beside the store."""
    return SqlDirectory(database)


async def keep(store: SqlStore, *users: User) -> None:
    """Store these people."""
    for user in users:
        await store.commit(Change(root=user.id, expected=0, new=(user,)))


async def names(directory: SqlDirectory, **which: str) -> list[str]:
    """Who is found."""
    return [user.username for user in await directory.users(UserFilter(**which), after=None, limit=100)]


async def test_users_come_in_pages_by_id(store: SqlStore, directory: SqlDirectory) -> None:
    """The last id of a page is the cursor of the next."""
    people = [a_user(f"user{i}") for i in range(7)]
    await keep(store, *people)

    first = await directory.users(UserFilter(), after=None, limit=3)
    second = await directory.users(UserFilter(), after=first[-1].id, limit=3)
    third = await directory.users(UserFilter(), after=second[-1].id, limit=3)

    assert [*first, *second, *third] == people


async def test_users_are_found_by_name_group_and_beginning(store: SqlStore, directory: SqlDirectory) -> None:
    """Text is looked for at the start of user name and display name; a group as a whole."""
    await keep(
        store,
        a_user("maya", display_name="Maya Rao", groups=("staff", "ops")),
        a_user("ravi", display_name="Mario", groups=("staff-2", 'quote"staff')),
        a_user("100%_sure"),
    )
    assert await names(directory, username="maya") == ["maya"]
    assert await names(directory, username="may") == []
    assert await names(directory, text="ma") == ["maya", "ravi"]
    assert await names(directory, text="MAYA r") == ["maya"]
    assert await names(directory, text="%") == []
    assert await names(directory, text="100%_") == ["100%_sure"]
    assert await names(directory, group="staff") == ["maya"]
    assert await names(directory, group='quote"staff') == ["ravi"]
    assert await names(directory, group="none") == []
    assert await names(directory, group="staff", text="ra") == []


async def test_every_group_is_listed_once(store: SqlStore, directory: SqlDirectory) -> None:
    """Sorted."""
    assert await directory.groups() == []
    await keep(store, a_user("a", groups=("staff", "ops")), a_user("b", groups=("staff", "äh")), a_user("c"))
    assert await directory.groups() == ["ops", "staff", "äh"]


async def test_a_user_is_read_by_id_or_name(store: SqlStore, directory: SqlDirectory) -> None:
    """What has the form of an id is one."""
    user, _ = await keep_person(store, "maya")
    assert await directory.user(user.id) == user
    assert await directory.user("maya") == user
    assert await directory.user("nobody") is None
    assert await directory.user("usr_" + "0" * 32) is None
    with pytest.raises(Invalid):
        await directory.user("a\0")


async def test_factors_come_with_their_state(store: SqlStore, directory: SqlDirectory) -> None:
    """A pending one may have none."""
    user, factor = await keep_person(store, "maya")
    bare = a_factor(user)
    await store.commit(Change(root=user.id, expected=1, new=(bare,)))
    assert await directory.factors(user.id) == [(factor, a_state(factor)), (bare, None)]
    assert await directory.factors("usr_none") == []


async def test_devices_come_newest_first(store: SqlStore, directory: SqlDirectory) -> None:
    """Of one application, or of all."""
    user, _ = await keep_person(store, "maya")
    old, new = a_device(user, b"1" * 32), a_device(user, b"2" * 32, application_id="app_2")
    await store.commit(Change(root=user.id, expected=1, new=(old, new)))
    assert await directory.devices(user.id, None) == [new, old]
    assert await directory.devices(user.id, "app_1") == [old]


async def test_sign_ins_come_newest_first(store: SqlStore, directory: SqlDirectory) -> None:
    """Those of an unknown name are nobody's, whatever id they show."""
    user, _ = await keep_person(store, "maya")
    attempts = [an_authentication(user, created_at=NOW + i) for i in range(4)]
    decoy = an_authentication(user_id=user.id)
    await store.commit(Change(root=user.id, expected=1, new=tuple(attempts)))
    await store.commit(Change(root=decoy.id, expected=0, new=(decoy,)))
    assert await directory.sign_ins(user.id, limit=3) == attempts[:0:-1]


async def test_belongings_are_what_goes_with_a_user(store: SqlStore, directory: SqlDirectory) -> None:
    """Of each kind at most so many; not a message that was sent, and nothing of others, whatever id it shows."""
    user, factor = await keep_person(store, "maya")
    other, _ = await keep_person(store, "ravi")
    attempt = an_authentication(user)
    mine = (
        a_device(user, b"1" * 32),
        SeenNetwork(user_id=user.id, network="192.0.2.0/24", last_at=NOW),
        attempt,
        a_ticket(b"1" * 32, user.id, kind=TicketKind.MAIL_LINK),
        a_message(user),
    )
    more = (a_ticket(b"2" * 32, user.id), a_ticket(b"3" * 32, user.id))
    beside = (a_message(user, status=MessageStatus.SENT, sealed=None), a_challenge(attempt, factor))
    theirs = (a_device(other, b"4" * 32), a_message(other), a_ticket(b"5" * 32, other.id, user_id=user.id))
    await store.commit(Change(root=user.id, expected=1, new=(*mine, *beside)))
    await store.commit(Change(root=other.id, expected=1, new=theirs))
    assert tuple(await directory.belongings(user.id, limit=10)) == mine
    await store.commit(Change(root=user.id, expected=2, new=more))
    assert len(await directory.belongings(user.id, limit=2)) == len(mine) + 1
    assert set(await directory.belongings("usr_none", limit=10)) == set()


async def test_events_come_in_their_sequence(store: SqlStore, directory: SqlDirectory, database: Database) -> None:
    """Only those that have a place; by cursor and by filter."""
    user, _ = await keep_person(store, "maya")
    month = 31 * 86_400 * 10**6
    told = (
        an_event(user, at=NOW + month),
        an_event(at=NOW, type="user:create", application_id="app_1"),
        an_event(user, at=NOW + 1),
    )
    await store.commit(Change(root=user.id, expected=1, events=told))
    assert await directory.events(EventFilter(), after=0, limit=10) == []
    await Sequencer(database).drain()

    logged = await directory.events(EventFilter(), after=0, limit=10)
    assert [(each.seq, each.event) for each in logged] == [(1, told[0]), (2, told[1]), (3, told[2])]

    async def found(after: int = 0, limit: int = 10, **which: object) -> list[int]:
        some = await directory.events(EventFilter(**which), after=after, limit=limit)  # type: ignore[arg-type]
        return [each.seq for each in some]

    assert await found(after=1, limit=1) == [2]
    assert await found(user_id=user.id) == [1, 3]
    assert await found(application_id="app_1") == [2]
    assert await found(type="user:create") == [2]
    assert await found(since=NOW + 1) == [1, 3]
    assert await found(since=NOW, until=NOW + month) == [2, 3]
