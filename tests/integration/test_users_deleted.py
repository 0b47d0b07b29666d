"""What of a deleted person is left: a name, a history that names nobody, and nothing that is still sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, select

from nightlatch.adapters.sql.tables import METADATA
from nightlatch.app.deliver.messages import queue
from nightlatch.app.messages import UserPatch
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.users.change import change_user
from nightlatch.app.users.delete import delete_user
from nightlatch.app.users.reference import user_key
from nightlatch.domain.records import Channel
from nightlatch.domain.time import MINUTE
from nightlatch.ports.store import Change
from tests.support.ports import World
from tests.support.post import IP, MAYA, NEW, WORK, Post, open_post

NUMBER = "+4915112345678"


@pytest.fixture
async def post(each_world: World) -> AsyncIterator[Post]:
    """A world with a mail server, on each database."""
    async with open_post(each_world) as opened:
        yield opened


def rows_of(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {name: [tuple(row) for row in connection.execute(select(t))] for name, t in METADATA.tables.items()}


async def text(post: Post) -> None:
    """A text to Maya waits."""
    ports, now = post.world.ports, post.world.clock.now()
    seen = await ports.store.load(user_key("maya"))
    assert seen.user is not None
    payload = {"to": NUMBER, "text": "123456"}
    message = queue(ports, now, Channel.SMS, user=seen.user, payload=payload, ttl=5 * MINUTE)
    await ports.store.commit(Change(root=seen.user.id, expected=seen.version, new=(message,)))


@pytest.mark.requirement("G4")
async def test_nothing_is_sent_to_who_was_deleted_and_no_row_has_their_address(post: Post) -> None:
    """Neither mails nor texts that waited; links of mails are dead, and hold no address any more."""
    ports, caller = post.world.ports, post.pages.bank.caller
    await post.person(MAYA, WORK)
    phone, _ = await post.activated()
    objection = (await post.only("A second lock was set up for you at Meridian")).link
    await post.approved(phone)
    await change_user(ports, caller, "maya", UserPatch(emails=[MAYA, NEW], phones=[NUMBER]))
    confirmation = next(got.link for got in await post.new() if got.recipients == [NEW])
    await new_portal_link(ports, caller, "maya")
    await change_user(ports, caller, "maya", UserPatch(emails=[MAYA, WORK]))
    await text(post)
    before = await post.world.database.read(rows_of)
    assert await ports.outbox.waiting() == {Channel.MAIL: 2, Channel.SMS: 1, Channel.PUSH: 0}
    assert any(personal in str(before["tickets"]) for personal in (MAYA, WORK, NEW))

    await delete_user(ports, caller, "maya")

    assert sum((await ports.outbox.waiting()).values()) == 0
    assert await post.new() == []
    for link in (objection, confirmation):
        assert "This link is used up." in await post.press(link)
    left = await post.world.database.read(rows_of)
    assert {name: left[name] for name in ("tickets", "devices", "factors", "seen_networks", "authentications")} == {
        "tickets": [], "devices": [], "factors": [], "seen_networks": [], "authentications": [],
    }  # fmt: skip
    for personal in (MAYA, WORK, NEW, NUMBER, IP):
        assert personal not in str(left)


async def test_a_message_that_is_under_way_ends_without_a_trace(post: Post) -> None:
    """It was handed out before the deletion: a gateway may have it, and telling so harms nothing."""
    ports = post.world.ports
    await post.person(MAYA)
    await text(post)
    (message,) = await ports.outbox.claim(Channel.SMS, limit=10, lease=MINUTE)
    await delete_user(ports, post.pages.bank.caller, "maya")
    assert await ports.outbox.look([message.id]) == []
    assert await ports.outbox.lapse(limit=10, lease=MINUTE) == []
    post.world.clock.advance(2 * MINUTE)
    assert await ports.outbox.claim(Channel.SMS, limit=10, lease=MINUTE) == []
