"""The demo behind its pages: the bank with its key, the browsers at it, the seeded past."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from nightlatch.app.applications.by_key import caller_by_key
from nightlatch.app.applications.create import create_application
from nightlatch.app.applications.revoke import revoke_application
from nightlatch.app.applications.rotate import rotate_key
from nightlatch.app.context import Caller, Ports
from nightlatch.app.messages import NewApplication
from nightlatch.domain.records import Application
from nightlatch.web.pages.demo.bank import Bank, Session
from nightlatch.web.pages.demo.people import BANK, MAYA
from nightlatch.web.pages.demo.seed import seed
from nightlatch_client import AsyncNightlatch

OPERATOR = Caller("operator:demo", scopes=frozenset({"admin"}))
RETURN_PATH = "/demo/bank/return"
SESSIONS = 200
"""The oldest browsers at the bank are forgotten beyond this."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")


class ArrivedText(Protocol):
    """A text on a phone."""

    @property
    def id(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def text(self) -> str: ...


class Inbox(Protocol):
    """The texts that the demo's own gateway brought."""

    def texts(self, to: str | None = None) -> Sequence[ArrivedText]:
        """The last ones to a number, newest first."""
        ...


class NotHere(RuntimeError):
    """The demo is for this machine only (X6)."""


class Stage:
    """Everything that the demo's pages share. Made once a server; ready at the first page."""

    def __init__(self, ports: Ports, public_url: str, inbox: Inbox | None = None) -> None:
        if urlsplit(public_url).hostname not in LOOPBACK:
            raise NotHere(f"The demo serves this machine only, not {public_url}.")
        self._ports = ports
        self._public_url = public_url
        self._inbox = inbox
        self._opening: asyncio.Future[Bank] | None = None
        self._sessions: dict[str, Session] = {}

    async def bank(self) -> Bank:
        """The bank, with a key of its own that lives as long as this process."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.ensure_future(self._opened())
        # The first to ask may go away; the others still wait for it.
        return await asyncio.shield(self._opening)

    def texts(self, number: str) -> Sequence[ArrivedText]:
        """What has arrived at a number, newest first."""
        return () if self._inbox is None else self._inbox.texts(number)

    def session(self, token: str | None) -> tuple[str, Session]:
        """A browser's session at the bank, and its token; a new one for a browser that has none."""
        if token is not None and token in self._sessions:
            return token, self._sessions[token]
        token, session = secrets.token_urlsafe(32), Session()
        self._sessions[token] = session
        while len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return token, session

    async def _opened(self) -> Bank:
        application, key = await self._registered()
        caller = await caller_by_key(self._ports, key)
        if await self._ports.directory.user(MAYA.username) is None:
            await seed(self._ports, Caller(caller.actor, caller.application, frozenset({"admin"})), OPERATOR)
        nightlatch = AsyncNightlatch(self._public_url, key, application=application, timeout=30)
        return Bank(nightlatch, self._return_url)

    @property
    def _return_url(self) -> str:
        return self._public_url + RETURN_PATH

    async def _registered(self) -> tuple[str, str]:
        """The bank's application with a fresh key: keys are told once, and this process has none yet."""
        standing: list[Application] = [
            kept.application
            for kept in await self._ports.catalog.applications()
            if kept.application.name == BANK and kept.application.revoked_at is None
        ]
        for application in standing:
            if application.return_urls == (self._return_url,):
                made = await rotate_key(self._ports, OPERATOR, application.id)
                return made.id, made.api_key
            # The demo was last served on another port.
            await revoke_application(self._ports, OPERATOR, application.id)
        made = await create_application(
            self._ports,
            OPERATOR,
            NewApplication(
                name=BANK, scopes=["authenticate", "enroll"], return_urls=[self._return_url], first_factor="pwd"
            ),
        )
        return made.id, made.api_key
