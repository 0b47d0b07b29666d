"""What people see tells nobody whether somebody has an account, nor which link was ever good."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from nightlatch.app.messages import UserPatch
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.portal.link import new_portal_link
from nightlatch.app.users.change import change_user
from nightlatch.app.users.delete import delete_user
from nightlatch.domain.time import MINUTE, SECOND
from tests.support.browsing import Pages, Visitor, open_pages
from tests.support.ports import OPERATOR, World
from tests.support.work import Work

NO_GRACE = "mfa_enforcement: {all_users: true, grace_period: 0s}\n"
# What differs between any two sign-ins, of one person or of two.
CHANGING = (
    re.compile(r"(usr|atn|fac|req)_[0-9a-f]{32}"),
    re.compile(r'(?<=value=")[A-Za-z0-9_-]{43}(?=")'),
    re.compile(r'<figure class="picture.*?</figure>', re.DOTALL),
    re.compile(r'(?<=href=")otpauth:[^"]+'),
    re.compile(r'(?<=data-copy=")[A-Z2-7]{32}'),
    re.compile(r'(?<=<p class="key-text" translate="no">)[A-Z2-7 \u00a0]+'),
)


def read(visitor: Visitor) -> tuple[int, str]:
    """A page's status and source, without what changes every time."""
    text = visitor.page.text
    for pattern in CHANGING:
        text = pattern.sub("*", text)
    return visitor.page.status_code, text


@dataclass
class Watched:
    """Pages, and the work behind them."""

    pages: Pages
    work: Work

    @property
    def world(self) -> World:
        """The world behind the pages."""
        return self.pages.world


@pytest.fixture
async def site(watched: tuple[World, Work]) -> Watched:
    """Somebody without factors, and a policy that wants one now."""
    world, work = watched
    await apply_policy(world.ports, OPERATOR, NO_GRACE, 0)
    pages = await open_pages(world)
    await world.person(pages.bank.caller, "plain1")
    await pages.bank.send("plain1")
    return Watched(pages, work)


async def walk(site: Watched, user: str) -> list[tuple[str, tuple[int, str], tuple[int, int]]]:
    """Everything that a browser can be shown in a sign-in that never succeeds; each page with its work."""
    seen: list[tuple[str, tuple[int, str], tuple[int, int]]] = []
    asked = await site.pages.bank.send(user)
    assert asked.prompt_url is not None
    async with site.pages.browser() as browser:
        base = f"/prompt/{asked.id}"

        async def note(name: str) -> None:
            seen.append((name, read(browser), await site.work.taken()))

        await site.work.taken()
        await browser.get(asked.prompt_url)
        await note("opened")
        for path in ("/code", "/ways", "/lost", "/help", "/backup-codes.txt"):
            await browser.get(base + path)
            await note(path)
        await browser.get(base)
        await browser.submit("/setup")
        await note("set-up")
        await browser.get(base)
        await note("set-up again")
        for attempt in range(5):
            await browser.submit("/setup/code", code="000000")
            await note(f"wrong {attempt}")
        await browser.get(base)
        await note("over")
    return seen


@pytest.mark.requirement("H6")
async def test_the_prompt_leads_nobody_through_the_same_screens(site: Watched) -> None:
    """Set-up with a picture, wrong codes, the end: the same pages, word for word, and the same work."""
    await walk(site, "ghost0")  # what a server remembers is at hand afterwards
    somebody, nobody = await walk(site, "plain1"), await walk(site, "ghost1")
    for (name, page, work), (_, ghost, theirs) in zip(somebody, nobody, strict=True):
        assert page == ghost, name
        if site.world.database.dialect == "postgresql":
            assert work == theirs, (name, work, theirs)
        else:
            # SQLite is told of each row by itself, and nobody has a factor to begin: rows in the same transactions.
            assert work[1] == theirs[1], name
            assert abs(work[0] - theirs[0]) <= 5, (name, work, theirs)
    assert any("picture" in page[1] for _, page, _ in nobody)


@pytest.mark.requirement("H6")
async def test_the_prompt_refuses_whoever_may_not_sign_in_in_the_same_words(site: Watched) -> None:
    """A disabled person; and in the grace period, nobody."""
    await site.world.person(site.pages.bank.caller, "offed1")
    await change_user(site.world.ports, OPERATOR, "offed1", UserPatch(status="disabled"))
    await apply_policy(site.world.ports, OPERATOR, "mfa_enforcement: {all_users: true, grace_period: 9d}\n", 1)
    shown = []
    for user in ("offed1", "ghost1"):
        asked = await site.pages.bank.send(user)
        async with site.pages.browser() as browser:
            assert asked.prompt_url is not None
            await browser.get(asked.prompt_url)
            shown.append(read(browser))
    assert shown[0] == shown[1]


@pytest.mark.requirement("H6", "X5")
async def test_dead_links_are_refused_in_the_same_words_and_with_the_same_work(site: Watched) -> None:
    """Made up, used, too old, of somebody who was disabled or deleted since, of another kind."""
    caller, ports = site.pages.bank.caller, site.world.ports
    for name in ("gone1", "offed1"):
        await site.world.person(caller, name)
    used, old, gone, offed = [
        (await new_portal_link(ports, caller, name)).url for name in ("plain1", "plain1", "gone1", "offed1")
    ]
    asked = await site.pages.bank.send("plain1")
    assert asked.prompt_url is not None
    await delete_user(ports, OPERATOR, "gone1")
    await change_user(ports, OPERATOR, "offed1", UserPatch(status="disabled"))
    async with site.pages.browser() as browser:
        await browser.get(used)
        await browser.submit("/portal/open")
        assert browser.page.status_code == 200
    links = {
        "made up": "https://mfa.example/portal?ticket=" + "Z" * 43,
        "used": used,
        "deleted": gone,
        "disabled": offed,
        "of a prompt": "https://mfa.example/portal?" + asked.prompt_url.partition("?")[2],
    }
    first = None
    for name, link in [*links.items(), ("old", old)]:
        if name == "old":
            site.world.clock.advance(5 * MINUTE)
        async with site.pages.browser() as browser:
            await browser.get(link)
            welcome = read(browser)
            await site.work.taken()
            await browser.submit("/portal/open")
            refused = read(browser), await site.work.taken()
        assert refused[0][0] == 404, name
        known = (
            refused[1][0] if name == "of a prompt" else None
        )  # its sign-in comes along, which takes a statement more
        first = first or (welcome, refused)
        assert (welcome, refused[0]) == (first[0], first[1][0]), name
        assert refused[1] == first[1][1] or (known is not None and known - first[1][1][0] <= 2), (name, refused[1])


@pytest.mark.requirement("H6", "X5")
async def test_no_prompt_tells_whether_it_ever_was(site: Watched) -> None:
    """An address that was never given, one that is over, and one of a foreign browser."""
    asked = await site.pages.bank.send("ghost1")
    shown = {}
    async with site.pages.browser() as browser:
        await browser.get(f"/prompt/atn_{'0' * 32}?ticket={'Z' * 43}")
        shown["never"] = read(browser)
        await browser.get(f"/prompt/{asked.id}?ticket={'Z' * 43}")
        shown["wrong ticket"] = read(browser)
        site.world.clock.advance(10 * MINUTE)
        assert asked.prompt_url is not None
        await browser.get(asked.prompt_url)
        shown["over"] = read(browser)
    assert len(set(shown.values())) == 1, shown
    async with site.pages.browser() as browser:
        for address in (f"/prompt/atn_{'0' * 32}", f"/prompt/{asked.id}"):
            await browser.get(address)
            shown[address] = read(browser)
    assert shown[f"/prompt/{asked.id}"] == shown[f"/prompt/atn_{'0' * 32}"]
    site.world.clock.advance(SECOND)
