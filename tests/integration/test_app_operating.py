"""What operators do: applications and keys, the policy, the audit list, portal links; on a real store."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from nightlatch.app.applications.by_key import caller_by_key
from nightlatch.app.applications.create import create_application
from nightlatch.app.applications.list import find_application, list_applications
from nightlatch.app.applications.revoke import revoke_application
from nightlatch.app.applications.rotate import rotate_key
from nightlatch.app.audit_events import list_events
from nightlatch.app.messages import NewApplication, NewUser, UserPatch
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.policy.check import check_policy
from nightlatch.app.policy.read import list_policy_versions, read_policy
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.tickets import hash_of
from nightlatch.app.users.change import change_user
from nightlatch.app.users.create import create_user
from nightlatch.app.users.delete import delete_user
from nightlatch.app.users.find import find_user
from nightlatch.domain.errors import Conflict, Invalid, NotFound, PreconditionFailed, Unauthenticated
from nightlatch.domain.policy.defaults import DEFAULT_TEXT
from nightlatch.domain.records import TicketKind, UserKind
from nightlatch.domain.time import DAY, MINUTE, SECOND, moment
from nightlatch.ports.directory import EventFilter
from nightlatch.ports.store import UserKey
from tests.support.ports import OPERATOR, World

ARTICLE = """\
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  exclude_service_accounts: true
  risk_based_prompting:
    - new_device: prompt_mfa
    - new_location: prompt_mfa
    - sensitive_action: require_mfa
  recovery:
    backup_codes: 10
    admin_recovery: verify_with_id
    recovery_timeout: 24_hours
"""


@pytest.mark.requirement("K4", "G1", "G2")
async def test_an_application_is_known_by_its_key(world: World) -> None:
    """The key is told once and kept as a hash; it names the scopes; nothing near it opens anything."""
    new = NewApplication(name="Bank", scopes=["authenticate", "enroll"], return_urls=["https://bank.example/in"])
    created = await create_application(world.ports, OPERATOR, new)
    assert created.api_key.startswith("nlk_")
    caller = await caller_by_key(world.ports, created.api_key)
    assert caller.actor == f"application:{created.id}"
    assert sorted(caller.scopes) == ["authenticate", "enroll"]
    shown = await find_application(world.ports, OPERATOR, created.id)
    assert (shown.name, shown.scopes, shown.return_urls) == ("Bank", new.scopes, new.return_urls)
    assert created.api_key not in str((shown, await world.ports.catalog.applications(), await world.events()))
    for near in (
        "",
        "nlk_",
        created.api_key[:-1],
        created.api_key + "x",
        created.api_key.swapcase(),
        "nlk_" + "0" * 49,
    ):
        with pytest.raises(Unauthenticated):
            await caller_by_key(world.ports, near)
    (event,) = await world.events("application:created")
    assert (event.application, event.actor, event.data["scopes"]) == (created.id, OPERATOR.actor, new.scopes)


async def test_a_rotated_key_is_dead_at_once(world: World) -> None:
    """The new one has the same scopes."""
    created = await create_application(world.ports, OPERATOR, NewApplication(name="Bank", scopes=["enroll"]))
    world.clock.advance(SECOND)
    rotated = await rotate_key(world.ports, OPERATOR, created.id)
    with pytest.raises(Unauthenticated):
        await caller_by_key(world.ports, created.api_key)
    assert list((await caller_by_key(world.ports, rotated.api_key)).scopes) == ["enroll"]
    assert (await world.events("key:rotated"))[0].data == {"scopes": ["enroll"], "revoked": 1}
    assert (await find_application(world.ports, OPERATOR, created.id)).scopes == ["enroll"]


async def test_a_revoked_application_is_over(world: World) -> None:
    """Its key opens nothing, and it is still listed."""
    created = await create_application(world.ports, OPERATOR, NewApplication(name="Bank"))
    await revoke_application(world.ports, OPERATOR, created.id)
    with pytest.raises(Unauthenticated):
        await caller_by_key(world.ports, created.api_key)
    for again in (revoke_application, rotate_key):
        with pytest.raises(NotFound):
            await again(world.ports, OPERATOR, created.id)
    with pytest.raises(NotFound):
        await find_application(world.ports, OPERATOR, "app_1")
    (shown,) = (await list_applications(world.ports, OPERATOR)).data
    assert (shown.id, shown.revoked_at, shown.scopes) == (created.id, moment(world.clock.now()), ["authenticate"])


@pytest.mark.requirement("G1")
async def test_a_policy_is_applied_as_the_next_version(world: World) -> None:
    """The article's own document; what it weakens is told and noted."""
    assert (await read_policy(world.ports, OPERATOR)).document == DEFAULT_TEXT
    checked = await check_policy(world.ports, ARTICLE)
    assert checked.version == 0
    assert checked.weakens
    applied = await apply_policy(world.ports, OPERATOR, ARTICLE, 0)
    assert (applied.version, applied.document, applied.actor) == (1, ARTICLE, OPERATOR.actor)
    assert applied.weakens == checked.weakens
    (event,) = await world.events("policy:applied")
    assert event.data == {"version": 1, "replaces": 0, "weakens": applied.weakens}
    assert (await world.ports.policies.current()).version == 1
    assert (await apply_policy(world.ports, OPERATOR, ARTICLE, None)).weakens == []
    assert [v.version for v in (await list_policy_versions(world.ports, OPERATOR)).data] == [2, 1]
    first = await list_policy_versions(world.ports, OPERATOR, None, 1)
    assert [v.version for v in (await list_policy_versions(world.ports, OPERATOR, first.next_cursor, 1)).data] == [1]
    assert (await read_policy(world.ports, OPERATOR, 1)).document == ARTICLE
    assert (await read_policy(world.ports, OPERATOR, 0)).document == DEFAULT_TEXT
    with pytest.raises(NotFound):
        await read_policy(world.ports, OPERATOR, 9)
    with pytest.raises(Invalid):
        await list_policy_versions(world.ports, OPERATOR, "x")


async def test_a_policy_replaces_only_what_its_author_read(world: World) -> None:
    """412 for anything else."""
    await apply_policy(world.ports, OPERATOR, ARTICLE, 0)
    for expected in (0, 2, 9):
        with pytest.raises(PreconditionFailed):
            await apply_policy(world.ports, OPERATOR, DEFAULT_TEXT, expected)
    assert (await read_policy(world.ports, OPERATOR)).document == ARTICLE


async def test_a_bad_policy_never_replaces_a_good_one(world: World) -> None:
    """All problems, with line, column and the nearest word; groups must be somebody's."""
    bad = "mfa_enforcement:\n  groups: [stuff]\n  grace_periode: 30_days\n"
    await create_user(world.ports, OPERATOR, NewUser(username="maya", groups=["staff"]))
    for attempt in (check_policy(world.ports, bad), apply_policy(world.ports, OPERATOR, bad, 0)):
        with pytest.raises(Invalid) as refused:
            await attempt
        assert refused.value.code == "invalid_policy"
        assert [(p.pointer, p.nearest) for p in refused.value.fields] == [
            ("/mfa_enforcement/groups/0", "staff"),
            ("/mfa_enforcement/grace_periode", "grace_period"),
        ]
        assert refused.value.fields[0].detail.startswith("line 2, column 12:")
    assert (await read_policy(world.ports, OPERATOR)).version == 0
    good = "mfa_enforcement:\n  groups: [staff]\n"
    assert (await apply_policy(world.ports, OPERATOR, good, 0)).version == 1


@pytest.mark.requirement("G1", "G4")
async def test_events_are_listed_in_the_gapless_order(world: World) -> None:
    """In pages, by user (name or id), application, type and time; the export has them all."""
    bank = await world.application()
    maya = await world.person(bank)
    world.clock.advance(DAY)
    await world.person(bank, "noor")
    await change_user(world.ports, bank, "maya", UserPatch(display_name="M"))
    everything = await world.events()
    assert [event.seq for event in everything] == list(range(1, len(everything) + 1))
    seen, cursor = [], None
    while True:
        page = await list_events(world.ports, bank, EventFilter(), cursor, 2)
        seen += page.data
        if (cursor := page.next_cursor) is None:
            break
    assert seen == everything
    for user in ("maya", "MAYA", maya.id):
        found = await list_events(world.ports, bank, EventFilter(user_id=user))
        assert [event.type for event in found.data] == ["user:created", "user:changed"]
        assert found.data[0].personal == {"username": "maya"}
    assert (await list_events(world.ports, bank, EventFilter(user_id="nobody"))).data == []
    assert (await list_events(world.ports, bank, EventFilter(user_id="a b"))).data == []
    assert bank.application is not None
    late = EventFilter(since=world.clock.now(), application_id=bank.application.id)
    assert [e.type for e in (await list_events(world.ports, bank, late)).data] == ["user:created", "user:changed"]
    await delete_user(world.ports, bank, "maya")
    await world.sequencer.drain()
    erased = await list_events(world.ports, bank, EventFilter(user_id="maya"))
    assert [event.type for event in erased.data] == ["user:created", "user:changed", "user:deleted"]
    assert all(event.personal is None for event in erased.data)
    for bad in ("x", "-1", "9" * 40):
        with pytest.raises(Invalid):
            await list_events(world.ports, bank, EventFilter(), bad)


@pytest.mark.requirement("K4", "G1", "X4")
async def test_a_portal_link_is_a_ticket_for_five_minutes(world: World) -> None:
    """The address has the token; the store has its hash; the event has neither."""
    bank = await world.application()
    maya = await world.person(bank)
    link = await new_portal_link(world.ports, bank, "maya")
    assert link.expires_at == moment(world.clock.now() + 5 * MINUTE)
    address, _, token = link.url.partition("?ticket=")
    assert address == "https://mfa.example/portal"
    assert len(token) == 43
    ticket = (await world.ports.store.load(UserKey(ticket=hash_of(token)))).ticket
    assert ticket is not None
    assert (ticket.kind, ticket.user_id, ticket.used_at) == (TicketKind.PORTAL_LINK, maya.id, None)
    assert token not in str((ticket, await world.events()))
    assert [event.user for event in await world.events("portal_link:created")] == [maya.id]
    await change_user(world.ports, bank, "maya", UserPatch(status="disabled"))
    with pytest.raises(Conflict):
        await new_portal_link(world.ports, bank, "maya")
    with pytest.raises(NotFound):
        await new_portal_link(world.ports, bank, "nobody")
    service = NewUser(username="cron", kind=UserKind.SERVICE, owner="it", expires_at=moment(world.clock.now() + DAY))
    await create_user(world.ports, bank, service)
    with pytest.raises(Invalid):
        await new_portal_link(world.ports, bank, "cron")


@pytest.mark.requirement("G1", "G3")
async def test_what_cannot_be_audited_does_not_happen(world: World) -> None:
    """The event is in the same transaction: without its table nothing is created, changed or applied."""
    await world.person(OPERATOR)
    await world.database.write(lambda connection: connection.execute(text("ALTER TABLE audit_queue RENAME TO lost")))
    for attempt in (
        create_user(world.ports, OPERATOR, NewUser(username="noor")),
        change_user(world.ports, OPERATOR, "maya", UserPatch(display_name="M")),
        new_portal_link(world.ports, OPERATOR, "maya"),
        apply_policy(world.ports, OPERATOR, ARTICLE, 0),
    ):
        with pytest.raises(Exception, match="audit_queue"):
            await attempt
    await world.database.write(lambda connection: connection.execute(text("ALTER TABLE lost RENAME TO audit_queue")))
    with pytest.raises(NotFound):
        await find_user(world.ports, OPERATOR, "noor")
    assert (await find_user(world.ports, OPERATOR, "maya")).display_name == "Maya"
    assert (await read_policy(world.ports, OPERATOR)).version == 0
