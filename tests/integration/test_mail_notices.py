"""What people are told by mail, over a real mail server, and what the links of those mails do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.devices import list_devices
from nightlatch.app.factors.backup_codes import new_backup_codes
from nightlatch.app.factors.find import list_factors
from nightlatch.app.factors.remove import remove_factor
from nightlatch.app.messages import (
    ContextIn,
    NewAuthentication,
    NewBackupCodes,
    NewUser,
    NewVerification,
    OneShot,
    UserPatch,
)
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.users.change import change_user
from nightlatch.app.users.create import create_user
from nightlatch.app.verify import verify
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.time import DAY, HOUR, MINUTE, SECOND
from tests.support.ports import World
from tests.support.post import IP, MAYA, NEW, WORK, Post, open_post


@pytest.fixture
async def post(world: World) -> AsyncIterator[Post]:
    """A world with a mail server."""
    async with open_post(world) as opened:
        yield opened


@pytest.mark.requirement("R3", "X7")
async def test_an_address_is_verified_by_the_button_of_its_link(post: Post) -> None:
    """Looking at it does nothing, and it works once."""
    caller = post.pages.bank.caller
    await create_user(post.world.ports, caller, NewUser(username="maya", emails=[MAYA, WORK]))
    first, second = await post.new()
    assert (first.recipients, second.recipients) == ([MAYA], [WORK])
    assert first.subject == "Confirm your mail address for Meridian"
    assert first.link != second.link
    for _ in range(3):
        await post.browser.get(first.link)
        assert MAYA not in post.browser.text
    assert await post.emails() == {MAYA: False, WORK: False}

    assert "Your address is confirmed." in await post.press(first.link)
    assert await post.emails() == {MAYA: True, WORK: False}
    assert "This link is used up." in await post.press(first.link)

    post.world.clock.advance(DAY)
    assert "This link is used up." in await post.press(second.link)
    assert await post.emails() == {MAYA: True, WORK: False}
    (event,) = await post.world.events("address:verified")
    assert event.personal is not None
    assert event.personal["address"] == MAYA


@pytest.mark.requirement("N1", "X7")
async def test_an_objection_removes_the_first_way_and_every_device(post: Post) -> None:
    """Once, and by its button alone."""
    await post.person(MAYA, WORK)
    phone, _ = await post.activated(label="Maya's phone")
    told = await post.new()
    assert [(got.recipients, got.subject) for got in told] == [
        ([address], "A second lock was set up for you at Meridian") for address in (MAYA, WORK)
    ]
    assert "a code from an authenticator app (“Maya's phone”)" in told[0].body()
    await post.approved(phone)
    caller = post.pages.bank.caller
    assert (await list_devices(post.world.ports, caller, "maya")).data
    for _ in range(3):
        await post.browser.get(told[0].link)
    assert await post.factors() == [FactorKind.TOTP, FactorKind.BACKUP_CODES]

    assert "It is removed." in await post.press(told[0].link)
    assert await post.factors() == []
    assert not (await list_devices(post.world.ports, caller, "maya")).data
    assert [got.subject for got in await post.new()] == ["A way to sign in was removed at Meridian"] * 2
    assert len(await post.world.events("factor:objected")) == 1

    await post.activated()
    assert "This link is used up." in await post.press(told[1].link)
    assert await post.factors() == [FactorKind.TOTP, FactorKind.BACKUP_CODES]


@pytest.mark.requirement("N1")
async def test_an_objection_works_once_whoever_presses_together(post: Post) -> None:
    """Twenty presses, one removal."""
    await post.person(MAYA)
    await post.activated()
    link = (await post.only("A second lock was set up for you at Meridian")).link
    await post.browser.get(link)
    form = post.browser.form("/mail/object")
    post_form = post.browser.http.post
    pages = await asyncio.gather(*(post_form("/mail/object", data=form.fields) for _ in range(20)))
    assert sorted(page.status_code for page in pages).count(200) == 1
    assert len(await post.world.events("factor:objected")) == 1


@pytest.mark.requirement("N1")
async def test_an_objection_after_a_week_or_of_somebody_disabled_does_nothing(post: Post) -> None:
    """The link is as dead as one that never was."""
    await post.person(MAYA)
    await post.activated()
    link = (await post.only("A second lock was set up for you at Meridian")).link
    caller = post.pages.bank.caller
    await change_user(post.world.ports, caller, "maya", UserPatch(status="disabled"))
    assert "This link is used up." in await post.press(link)
    await change_user(post.world.ports, caller, "maya", UserPatch(status="active"))
    post.world.clock.advance(7 * DAY)
    assert "This link is used up." in await post.press(link)
    assert FactorKind.TOTP in await post.factors()


@pytest.mark.requirement("N1", "B1")
async def test_a_second_way_is_told_of_and_its_objection_leaves_the_first(post: Post) -> None:
    """And a removal with approval is told as well."""
    await post.person(MAYA)
    phone, _ = await post.activated()
    await post.new()
    ports, caller = post.world.ports, post.pages.bank.caller
    approval = await post.world.approval(caller, "maya", phone.code())
    await post.activated(FactorKind.HOTP, approval=approval)
    added = await post.only("A new way to sign in at Meridian")
    assert "a code from a key fob" in added.body()
    await post.press(added.link)
    assert await post.factors() == [FactorKind.TOTP, FactorKind.BACKUP_CODES]
    await post.only("A way to sign in was removed at Meridian")

    approval = await post.world.approval(caller, "maya", phone.code())
    await remove_factor(ports, caller, "maya", phone.factor_id, approval)
    removed = await post.only("A way to sign in was removed at Meridian")
    assert "a code from an authenticator app was removed" in removed.body()
    assert "Call" not in removed.body()
    assert "Help: +49 30 5550100." in removed.body()


@pytest.mark.requirement("L5", "N1")
async def test_codes_are_told_of_when_they_are_made_and_used_and_few(post: Post) -> None:
    """From three on it says so in the subject."""
    await post.person(MAYA)
    phone, first = await post.activated()
    await post.new()
    ports, caller = post.world.ports, post.pages.bank.caller
    approval = await post.world.approval(caller, "maya", phone.code())
    made = await new_backup_codes(ports, caller, "maya", NewBackupCodes(approval=approval))
    assert first[0] not in (await post.only("New backup codes at Meridian")).body()
    for left, code in enumerate(made.backup_codes[:8]):
        request = OneShot(user="maya", code=code, context=ContextIn(ip=IP))
        assert (await verify(ports, caller, request)).status == "approved"
        left = 9 - left
        if left > 3:
            got = await post.only("A backup code was used at Meridian")
        else:
            got = await post.only(f"A backup code was used at Meridian: you have {left} backup codes left")
        assert f"ou have {left} backup codes left." in got.body()
        assert code not in got.raw.decode()


async def test_a_code_that_proves_on_a_persons_own_page_is_told_of_too(post: Post) -> None:
    """Where only codes are at hand."""
    await post.person(MAYA)
    _, codes = await post.activated()
    await post.new()
    link = await new_portal_link(post.world.ports, post.pages.bank.caller, "maya")
    await post.browser.get(link.url)
    await post.browser.submit("/portal/open")
    await post.browser.get("/portal/prove")
    way = next(
        f
        for f in (await list_factors(post.world.ports, post.pages.bank.caller, "maya")).data
        if f.kind is FactorKind.BACKUP_CODES
    )
    await post.browser.submit("/portal/prove", code=codes[0], way=way.id)
    await post.only("A backup code was used at Meridian")


@pytest.mark.requirement("N3", "R3")
async def test_a_changed_address_tells_the_old_ones_and_asks_the_new_one(post: Post) -> None:
    """Also the one that was taken away; one that was never verified is told nothing."""
    await post.person(MAYA, WORK)
    caller = post.pages.bank.caller
    await change_user(post.world.ports, caller, "maya", UserPatch(emails=[WORK, NEW]))
    told = {got.recipients[0]: got for got in await post.new()}
    assert {address: got.subject for address, got in told.items()} == {
        MAYA: "Your mail addresses at Meridian were changed",
        WORK: "Your mail addresses at Meridian were changed",
        NEW: "Confirm your mail address for Meridian",
    }
    assert NEW not in told[MAYA].body()
    await change_user(post.world.ports, caller, "maya", UserPatch(emails=[WORK, NEW, MAYA]))
    assert sorted(got.recipients[0] for got in await post.new()) == sorted([WORK, MAYA])
    assert "Your address is confirmed." in await post.press(told[NEW].link)
    assert await post.emails() == {WORK: True, NEW: True, MAYA: False}
    await change_user(post.world.ports, caller, "maya", UserPatch(display_name="Maya B."))
    assert await post.new() == []


@pytest.mark.requirement("N2")
async def test_a_right_password_with_a_wrong_code_is_told_once_an_hour(post: Post) -> None:
    """Whichever call it was, and only where a password came first."""
    await post.person(MAYA)
    phone, _ = await post.activated()
    await post.new()
    ports, caller = post.world.ports, post.pages.bank.caller
    context = ContextIn(ip=IP, user_agent="Mozilla/5.0 (Windows NT 10.0) Firefox/144.0")

    async def wrong() -> None:
        begun = await authenticate(ports, caller, NewAuthentication(user="maya", context=context))
        said = await answer(ports, caller, begun.id, NewVerification(code=phone.wrong()))
        assert said.reason == "wrong_code"

    await verify(ports, caller, OneShot(user="maya", code=phone.wrong(), context=context, first_factor="none"))
    assert await post.new() == []
    await wrong()
    got = await post.only("Somebody could not sign in as you at Meridian Bank")
    assert "Firefox on Windows" in got.body()
    assert IP not in got.body()
    await wrong()
    said = await verify(ports, caller, OneShot(user="maya", code=phone.wrong(), context=context))
    assert said.status == "rejected"
    assert await post.new() == []
    post.world.clock.advance(HOUR + MINUTE)
    said = await verify(ports, caller, OneShot(user="maya", code=phone.wrong(), context=context))
    assert said.reason == "wrong_code"
    await post.only("Somebody could not sign in as you at Meridian Bank")


async def test_wrong_codes_in_the_prompt_are_told_of(post: Post) -> None:
    """There people type them."""
    await post.person(MAYA)
    phone, _ = await post.activated()
    await post.new()
    sent = await post.pages.bank.send()
    assert sent.prompt_url is not None
    await post.browser.get(sent.prompt_url)
    for form in post.browser.forms:
        if "code" in form.fields:
            await post.browser.submit(form.action, code=phone.wrong())
            break
    else:
        await post.browser.submit(post.browser.forms[0].action)
        form = next(form for form in post.browser.forms if "code" in form.fields)
        await post.browser.submit(form.action, code=phone.wrong())
    await post.only("Somebody could not sign in as you at Meridian Bank")


async def test_a_stolen_token_is_told_of(post: Post) -> None:
    """The use of a predecessor after its time."""
    await post.person(MAYA)
    phone, _ = await post.activated()
    await post.new()
    ports, caller = post.world.ports, post.pages.bank.caller
    old = await post.approved(phone)
    context = ContextIn(ip=IP, device_token=old)
    begun = await authenticate(ports, caller, NewAuthentication(user="maya", context=context, action="transfer"))
    await answer(ports, caller, begun.id, NewVerification(code=phone.code()))
    post.world.clock.advance(5 * MINUTE)
    assert await post.new() == []
    await authenticate(ports, caller, NewAuthentication(user="maya", context=context))
    await post.only("A remembered browser was forgotten at Meridian")


@pytest.mark.requirement("N1", "R3")
async def test_whoever_verified_no_address_gets_nothing(post: Post) -> None:
    """What an application says of an address proves nothing."""
    await create_user(post.world.ports, post.pages.bank.caller, NewUser(username="maya", emails=[MAYA]))
    await post.new()
    phone, codes = await post.activated()
    request = OneShot(user="maya", code=codes[0], context=ContextIn(ip=IP))
    await verify(post.world.ports, post.pages.bank.caller, request)
    await verify(
        post.world.ports, post.pages.bank.caller, OneShot(user="maya", code=phone.wrong(), context=ContextIn(ip=IP))
    )
    assert await post.new() == []
    assert await post.queued() == 1


async def test_without_a_mail_server_nothing_is_queued(post: Post) -> None:
    """It would wait for nobody."""
    await post.person(MAYA)
    before = await post.queued()
    silent = replace(post.world.ports, mailing=None)
    post.world.ports = silent
    await change_user(silent, post.pages.bank.caller, "maya", UserPatch(emails=[MAYA, NEW]))
    await post.activated()
    assert await post.queued() == before


async def test_an_address_is_asked_five_times_an_hour_at_most(post: Post) -> None:
    """It may be a stranger's."""
    caller = post.pages.bank.caller
    for number in range(7):
        await create_user(post.world.ports, caller, NewUser(username=f"person-{number}", emails=[NEW]))
    assert len(await post.new()) == 5
    post.world.clock.advance(HOUR + SECOND)
    await create_user(post.world.ports, caller, NewUser(username="later", emails=[NEW]))
    assert len(await post.new()) == 1


async def test_a_person_who_is_made_in_a_sign_in_is_asked_as_well(post: Post) -> None:
    """The same transaction holds the mail."""
    new = NewUser(username="maya", emails=[MAYA])
    request = NewAuthentication(user=new, context=ContextIn(ip=IP))
    await authenticate(post.world.ports, post.pages.bank.caller, request)
    await authenticate(post.world.ports, post.pages.bank.caller, request)
    await post.only("Confirm your mail address for Meridian")


async def test_mails_are_in_the_readers_language(post: Post) -> None:
    """German, or else English."""
    await post.person(MAYA, locale="de-AT")
    await post.activated()
    got = await post.only("Ein zweites Schloss wurde bei Meridian für Sie eingerichtet")
    assert 'lang="de"' in got.body("html")
    assert "Das war ich nicht: entfernen" in got.body("html")


@pytest.mark.requirement("H6", "X7")
async def test_pages_of_links_tell_nothing_of_the_token(post: Post) -> None:
    """Right, used, never made: one page by GET, and one for every dead link."""
    await post.person(MAYA)
    await post.activated()
    link = (await post.only("A second lock was set up for you at Meridian")).link
    token = link.partition("ticket=")[2]
    stranger = (await new_portal_link(post.world.ports, post.pages.bank.caller, "maya")).url.partition("ticket=")[2]

    async def shown(ticket: str) -> str:
        await post.browser.get(f"https://mfa.example/mail/object?ticket={ticket}")
        return post.browser.page.text.replace(ticket, "")

    assert await shown(token) == await shown("never-made") == await shown(stranger)
    said = set()
    for ticket in ("never-made", stranger):
        await shown(ticket)
        await post.browser.submit("/mail/object")
        said.add((post.browser.page.status_code, post.browser.page.text))
    # An objection's link confirms no address, and the other way round.
    await post.browser.get(f"https://mfa.example/mail/confirm?ticket={token}")
    await post.browser.submit("/mail/confirm")
    said.add((post.browser.page.status_code, post.browser.page.text))
    assert len(said) == 1
    assert {status for status, _ in said} == {404}
    assert FactorKind.TOTP in await post.factors()


@pytest.mark.requirement("X2")
async def test_a_form_from_elsewhere_does_nothing(post: Post) -> None:
    """Neither without its cookie nor from another site."""
    await post.person(MAYA)
    await post.activated()
    link = (await post.only("A second lock was set up for you at Meridian")).link
    await post.browser.get(link)
    fields = post.browser.form("/mail/object").fields
    async with post.pages.browser() as other:
        await other.http.post("/mail/object", data=fields)
    response: httpx.Response = await post.browser.http.post(
        "/mail/object", data=fields, headers={"sec-fetch-site": "cross-site"}
    )
    assert response.status_code == 403
    assert FactorKind.TOTP in await post.factors()


@pytest.mark.requirement("S10")
async def test_mail_is_no_way_to_sign_in(post: Post) -> None:
    """No factor is of that kind, and no link of a mail opens a session."""
    await post.person(MAYA)
    assert not {"email", "mail"} & {kind.value for kind in FactorKind}
    assert not [name for name in post.browser.http.cookies if "portal" in name or "prompt" in name]
    await post.activated()
    link = (await post.only("A second lock was set up for you at Meridian")).link
    await post.press(link)
    assert not [name for name in post.browser.http.cookies if "portal" in name or "prompt" in name]
    await post.browser.get("/portal")
    assert "Your page is closed." in post.browser.text


async def test_a_pending_way_is_not_told_of(post: Post) -> None:
    """It does not count yet, and dropping it changes nothing."""
    await post.person(MAYA)
    phone = await post.world.begun(post.pages.bank.caller, "maya")
    await remove_factor(post.world.ports, post.pages.bank.caller, "maya", phone.factor_id, None)
    assert await post.new() == []
