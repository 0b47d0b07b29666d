"""Users, from the first to the last change, on a real store."""

from __future__ import annotations

import datetime as dt

import pytest
from msgspec.structs import replace

from nightlatch.app.authenticate import authenticate
from nightlatch.app.devices import list_devices, revoke_device, revoke_devices
from nightlatch.app.messages import ContextIn, NewAuthentication, NewUser, UserPatch
from nightlatch.app.users import delete
from nightlatch.app.users.change import change_user
from nightlatch.app.users.create import create_user, new_user_record
from nightlatch.app.users.delete import delete_user
from nightlatch.app.users.find import find_user, list_users
from nightlatch.app.users.reference import user_key
from nightlatch.domain.errors import Conflict, Invalid, NotFound
from nightlatch.domain.records import Address, UserKind, UserStatus
from nightlatch.domain.time import DAY, SECOND, moment
from nightlatch.ports.directory import UserFilter
from nightlatch.ports.store import Change
from tests.support.ports import World


def pointers(refused: Invalid) -> list[tuple[str, str]]:
    """What was refused, by field."""
    return [(problem.pointer, problem.code) for problem in refused.fields]


@pytest.mark.requirement("G1")
async def test_a_user_is_created_found_and_noted(world: World) -> None:
    """By id and by any spelling of the name; the event seals the name."""
    bank = await world.application()
    maya = await create_user(
        world.ports,
        bank,
        NewUser(
            username="Maya",
            display_name=" Maya ",
            groups=["staff", "admins", "staff"],
            emails=["Maya@Example.org"],
            phones=["+49 151 12345678"],
            locale="de",
        ),
    )
    assert (maya.username, maya.display_name, maya.groups) == ("maya", "Maya", ["staff", "admins"])
    assert [(e.value, e.verified_at) for e in maya.emails] == [("Maya@example.org", None)]
    assert maya.phones[0].value == "+4915112345678"
    assert await find_user(world.ports, bank, maya.id) == maya
    assert await find_user(world.ports, bank, "MAYA") == maya
    (event,) = await world.events("user:created")
    assert (event.user, event.actor, event.outcome) == (maya.id, bank.actor, "success")
    assert event.personal == {"username": "maya"}
    assert "maya" not in str(event.data)


@pytest.mark.parametrize(
    "ref", ["nobody", "", "a/b", "a b", "usr_1", "usr_" + "0" * 32, "\0", "usr_\0", "\ud800", "x" * 999]
)
async def test_nobody_is_not_found_whatever_the_name(world: World, ref: str) -> None:
    """A name that nobody can have is answered as one that nobody has."""
    with pytest.raises(NotFound):
        await find_user(world.ports, await world.application(), ref)


async def test_a_name_is_given_once(world: World) -> None:
    """In any spelling, and never again."""
    bank = await world.application()
    maya = await world.person(bank)
    for _ in range(2):
        with pytest.raises(Conflict) as taken:
            await create_user(world.ports, bank, NewUser(username="MAYA"))
        assert taken.value.code == "username_taken"
        if maya.status is UserStatus.ACTIVE:
            await delete_user(world.ports, bank, maya.id)
            maya = replace(maya, status=UserStatus.DELETED)


async def test_every_bad_field_is_named_at_once(world: World) -> None:
    """With JSON pointers, below where the user stands in the request."""
    new = NewUser(
        username="a/b",
        display_name="a\nb",
        groups=["ok", "\x1b"],
        emails=["x"],
        phones=["1"],
        locale="xx",
        owner="it",
        networks=["192.0.2.1/24"],
    )
    with pytest.raises(Invalid) as refused:
        new_user_record(world.ports, world.clock.now(), new, at="/user")
    assert pointers(refused.value) == [
        ("/user/emails/0", "invalid_email"),
        ("/user/phones/0", "invalid_phone"),
        ("/user/username", "invalid_username"),
        ("/user/display_name", "forbidden_character"),
        ("/user/groups/1", "forbidden_character"),
        ("/user/locale", "invalid_locale"),
        ("/user/networks/0", "invalid_network"),
    ]


async def test_a_service_account_is_owned_and_ends(world: World) -> None:
    """And a person is neither owned, nor ends, nor is bound to networks."""
    bank = await world.application()
    with pytest.raises(Invalid) as refused:
        await create_user(world.ports, bank, NewUser(username="backup", kind=UserKind.SERVICE))
    assert pointers(refused.value) == [("/owner", "required"), ("/expires_at", "required")]
    over = NewUser(
        username="backup", kind=UserKind.SERVICE, owner="IT team", expires_at=moment(world.clock.now() - SECOND)
    )
    with pytest.raises(Invalid) as refused:
        await create_user(world.ports, bank, over)
    assert pointers(refused.value) == [("/expires_at", "in_the_past")]
    good = replace(over, expires_at=moment(world.clock.now() + DAY), networks=["192.0.2.0/24"])
    service = await create_user(world.ports, bank, good)
    assert (service.kind, service.owner, service.networks) == (UserKind.SERVICE, "IT team", ["192.0.2.0/24"])
    with pytest.raises(Invalid) as refused:
        await create_user(world.ports, bank, replace(good, username="x", kind=UserKind.PERSON))
    assert {pointer for pointer, _ in pointers(refused.value)} == {"/owner", "/expires_at", "/networks"}


async def test_a_change_changes_what_was_sent(world: World) -> None:
    """Null clears; what stays verified stays verified; what is new is not."""
    bank = await world.application()
    maya = await create_user(
        world.ports, bank, NewUser(username="maya", display_name="M", emails=["a@example.org", "b@example.org"])
    )
    snapshot = await world.ports.store.load(user_key("maya"))
    assert snapshot.user is not None
    verified = replace(snapshot.user, emails=(Address("a@example.org", world.clock.now()), Address("b@example.org")))
    await world.ports.store.commit(Change(root=maya.id, expected=snapshot.version, puts=(verified,)))
    world.clock.advance(SECOND)
    patch = UserPatch(display_name=None, emails=["c@example.org", "a@example.org"], groups=["staff"])
    changed = await change_user(world.ports, bank, "maya", patch)
    assert changed.display_name is None
    assert [(e.value, e.verified_at is not None) for e in changed.emails] == [
        ("c@example.org", False),
        ("a@example.org", True),
    ]
    assert changed.updated_at > changed.created_at
    (event,) = await world.events("user:changed")
    assert event.data["fields"] == ["display_name", "groups", "emails"]
    assert await change_user(world.ports, bank, "maya", patch) == changed
    assert len(await world.events("user:changed")) == 1


async def test_the_rules_of_a_kind_hold_after_a_change(world: World) -> None:
    """An owner cannot be cleared away, nor the end moved into the past; other fields change beside an end that came."""
    bank = await world.application()
    end = world.clock.now() + DAY
    new = NewUser(username="backup", kind=UserKind.SERVICE, owner="it", expires_at=moment(end))
    await create_user(world.ports, bank, new)
    await world.person(bank)
    for ref, patch, pointer in (
        ("backup", UserPatch(owner=None), "/owner"),
        ("backup", UserPatch(expires_at=None), "/expires_at"),
        ("backup", UserPatch(expires_at=moment(world.clock.now())), "/expires_at"),
        ("backup", UserPatch(expires_at=dt.datetime(2030, 1, 1)), "/expires_at"),  # noqa: DTZ001 (no zone: the point)
        ("maya", UserPatch(owner="it"), "/owner"),
        ("maya", UserPatch(networks=["192.0.2.0/24"]), "/networks"),
    ):
        with pytest.raises(Invalid) as refused:
            await change_user(world.ports, bank, ref, patch)
        assert [pointer_ for pointer_, _ in pointers(refused.value)] == [pointer]
    world.clock.advance(2 * DAY)
    assert (await change_user(world.ports, bank, "backup", UserPatch(display_name="Backup"))).display_name == "Backup"


async def test_disabling_revokes_every_device(world: World) -> None:
    """And enabling brings none back."""
    bank = await world.application()
    await world.person(bank)
    phone, _ = await world.activated(bank, "maya")
    await world.approval(bank, "maya", phone.code(), action="login")
    assert len((await list_devices(world.ports, bank, "maya")).data) == 1
    await change_user(world.ports, bank, "maya", UserPatch(status="disabled"))
    assert (await list_devices(world.ports, bank, "maya")).data == []
    (event,) = await world.events("device:revoked")
    assert event.reason == "user_disabled"
    await change_user(world.ports, bank, "maya", UserPatch(status="active"))
    assert (await list_devices(world.ports, bank, "maya")).data == []
    assert [e.type for e in await world.events() if e.type.startswith("user:")] == [
        "user:created",
        "user:disabled",
        "user:enabled",
    ]


async def test_an_application_sees_and_revokes_its_own_devices(world: World) -> None:
    """Another's are not there for it."""
    bank, wiki = await world.application("bank"), await world.application("wiki")
    await world.person(bank)
    phone, _ = await world.activated(bank, "maya")
    await world.approval(bank, "maya", phone.code(), action="login")
    await world.approval(wiki, "maya", phone.code(), action="login")
    (at_bank,) = (await list_devices(world.ports, bank, "maya")).data
    with pytest.raises(NotFound):
        await revoke_device(world.ports, wiki, "maya", at_bank.id)
    await revoke_device(world.ports, bank, "maya", at_bank.id)
    with pytest.raises(NotFound):
        await revoke_device(world.ports, bank, "maya", at_bank.id)
    assert len((await list_devices(world.ports, wiki, "maya")).data) == 1
    await revoke_devices(world.ports, wiki, "maya")
    await revoke_devices(world.ports, wiki, "maya")
    assert (await list_devices(world.ports, wiki, "maya")).data == []
    assert len(await world.events("device:revoked")) == 2


@pytest.mark.requirement("G4")
async def test_a_deleted_user_leaves_a_name_and_a_history(world: World) -> None:
    """Personal data and the audit key are gone: events stay, and their personal fields open for nobody."""
    bank = await world.application()
    maya = await world.person(bank)
    phone, _ = await world.activated(bank, "maya")
    await world.approval(bank, "maya", phone.code(), action="login")
    assert (await world.events("user:created"))[0].personal is not None
    await delete_user(world.ports, bank, "maya")
    for ref in ("maya", maya.id):
        with pytest.raises(NotFound):
            await find_user(world.ports, bank, ref)
        with pytest.raises(NotFound):
            await delete_user(world.ports, bank, ref)
    left = await world.ports.store.load(user_key(maya.id))
    assert left.user is not None
    assert (left.user.username, left.user.status, left.user.display_name) == ("maya", UserStatus.DELETED, None)
    assert (left.user.audit_key, left.factors, dict(left.states)) == (b"", (), {})
    assert await world.ports.directory.devices(maya.id, None) == []
    assert await world.ports.directory.sign_ins(maya.id, limit=10) == []
    assert await world.ports.directory.belongings(maya.id, limit=10) == []
    events = [event for event in await world.events() if event.user == maya.id]
    assert {"user:created", "factor:activated", "user:deleted"} <= {event.type for event in events}
    assert all(event.personal is None for event in events)


async def test_many_sign_ins_are_forgotten_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    monkeypatch.setattr(delete, "AT_ONCE", 2)
    bank = await world.application()
    maya = await world.person(bank)
    for _ in range(5):
        await authenticate(world.ports, bank, NewAuthentication(user="maya", context=ContextIn(ip="192.0.2.1")))
    assert len(await world.ports.directory.sign_ins(maya.id, limit=10)) == 5
    await delete_user(world.ports, bank, "maya")
    assert await world.ports.directory.sign_ins(maya.id, limit=10) == []


async def test_users_are_listed_in_pages(world: World) -> None:
    """Oldest first, by group, by name, by the beginning of a name; deleted ones are gone."""
    bank = await world.application()
    for number in range(5):
        world.clock.advance(SECOND)
        new = NewUser(username=f"user{number}", display_name=f"Person {number}", groups=["even"] * (number % 2 == 0))
        await create_user(world.ports, bank, new)
    await delete_user(world.ports, bank, "user1")

    async def names(which: UserFilter, limit: int = 50) -> list[str]:
        found, cursor = [], None
        while True:
            page = await list_users(world.ports, bank, which, cursor, limit)
            found += [user.username for user in page.data]
            if (cursor := page.next_cursor) is None:
                return found

    assert await names(UserFilter(), limit=2) == ["user0", "user2", "user3", "user4"]
    assert await names(UserFilter(group="even")) == ["user0", "user2", "user4"]
    assert await names(UserFilter(username="USER3")) == ["user3"]
    assert await names(UserFilter(username="a b")) == []
    assert await names(UserFilter(text="person 4")) == ["user4"]
    with pytest.raises(Invalid):
        await list_users(world.ports, bank, UserFilter(), "x")
    for limit in (0, 201):
        with pytest.raises(Invalid):
            await list_users(world.ports, bank, UserFilter(), None, limit)
