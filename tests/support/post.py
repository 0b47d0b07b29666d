"""A world with a mail server: what is queued goes there when somebody looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from nightlatch.adapters.delivery.smtp import SmtpOptions, SmtpTransport, Tls
from nightlatch.adapters.letters import JinjaMailRenderer
from nightlatch.adapters.sql.tables import OUTBOX
from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.deliver.dispatch import Dispatcher
from nightlatch.app.deliver.mail import MailHandler
from nightlatch.app.factors.find import list_factors
from nightlatch.app.messages import (
    ContextIn,
    NewAuthentication,
    NewUser,
    NewVerification,
)
from nightlatch.app.users.create import create_user
from nightlatch.app.users.find import find_user
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Channel
from nightlatch.domain.time import SECOND
from tests.support.browsing import SETTINGS, Pages, Visitor, open_pages
from tests.support.letters import Got, MailServer, mail_server
from tests.support.ports import Phone, World

MAYA, WORK, NEW = "maya@home.example", "maya@work.example", "new@home.example"
IP = "192.0.2.1"


@dataclass
class Post:
    """The mail of a world: what is queued goes to the server when somebody looks."""

    pages: Pages
    server: MailServer
    browser: Visitor

    @property
    def world(self) -> World:
        return self.pages.world

    async def new(self) -> list[Got]:
        """What arrives that did not before, by recipient: mails of one instant have no order of their own."""
        ports, before = self.world.ports, len(self.server.got)
        options = SmtpOptions(
            host="127.0.0.1", port=self.server.port, tls=Tls.NONE, sender="Meridian <no-reply@meridian.example>"
        )
        dispatcher = Dispatcher(ports, {Channel.MAIL: MailHandler(SmtpTransport(options, ports.clock))})
        for message in await dispatcher.claim(Channel.MAIL, 100):
            await dispatcher.deliver(message)
        return sorted(self.server.got[before:], key=lambda got: got.recipients)

    async def only(self, subject: str) -> Got:
        """The one mail to her first address, of those that arrive."""
        found = [got for got in await self.new() if got.recipients == [MAYA]]
        assert [got.subject for got in found] == [subject]
        return found[0]

    async def press(self, link: str) -> str:
        """Open a link and press its button; what the page says then."""
        await self.browser.get(link)
        await self.browser.submit(link.partition("?")[0].removeprefix("https://mfa.example"))
        return self.browser.text

    async def person(self, *addresses: str, locale: str | None = None) -> None:
        """Maya, who confirmed these addresses."""
        new = NewUser(username="maya", emails=list(addresses), locale=locale)
        await create_user(self.world.ports, self.pages.bank.caller, new)
        for got in await self.new():
            await self.press(got.link)

    async def emails(self) -> dict[str, bool]:
        """Her addresses, and whether they are verified."""
        user = await find_user(self.world.ports, self.pages.bank.caller, "maya")
        return {address.value: address.verified_at is not None for address in user.emails}

    async def factors(self) -> list[FactorKind]:
        """Her active factors."""
        found = await list_factors(self.world.ports, self.pages.bank.caller, "maya")
        return [factor.kind for factor in found.data if factor.status == "active"]

    async def activated(self, kind: FactorKind = FactorKind.TOTP, **fields: str) -> tuple[Phone, list[str]]:
        """A factor of hers, and the codes that came with it."""
        phone, active = await self.world.activated(self.pages.bank.caller, "maya", kind, **fields)
        return phone, active.backup_codes or []

    async def approved(self, phone: Phone, **more: object) -> str | None:
        """Sign in with remembering; the device token."""
        ports, caller = self.world.ports, self.pages.bank.caller
        context = ContextIn(ip=IP, user_agent="Mozilla/5.0 (Windows NT 10.0) Firefox/144.0")
        begun = await authenticate(ports, caller, NewAuthentication(user="maya", context=context))
        said = await answer(ports, caller, begun.id, NewVerification(code=phone.code(), remember_device=True))
        assert said.status == "approved"
        self.world.clock.advance(30 * SECOND)
        return said.device_token

    async def queued(self) -> int:
        """How many mails were ever queued."""
        count = select(func.count()).select_from(OUTBOX.table)
        found: int = await self.world.database.read(lambda connection: connection.execute(count).scalar_one())
        return found


@asynccontextmanager
async def open_post(world: World) -> AsyncIterator[Post]:
    """Give a world a mail server."""
    world.ports = replace(world.ports, mailing=JinjaMailRenderer(SETTINGS.brand))
    pages = await open_pages(world)
    with mail_server() as server:
        async with pages.browser() as browser:
            yield Post(pages, server, browser)
