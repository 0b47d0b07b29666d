"""A bank that protects its sign-in and its payments with Nightlatch.

This is the tutorial as code: read it from top to bottom. The bank checks passwords itself and
leaves the second lock to Nightlatch, over the public API, with its own key. It keeps three
things: who is being signed in in which browser, what Nightlatch asserted, and a device token.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from nightlatch_client import (
    Assertion,
    AsyncNightlatch,
    Authentication,
    NightlatchError,
    NotVerified,
    Refused,
    Verification,
)
from nightlatch_client.protocol import Call


@dataclass(frozen=True, slots=True)
class Browser:
    """Where the person is. The address is theirs, not the bank's."""

    ip: str
    user_agent: str | None


@dataclass
class Session:
    """One browser at the bank. ``attempt`` is what is still to be decided; ``state`` ties its answer to it."""

    username: str | None = None
    attempt: Authentication | None = None
    action: str = "login"
    details: dict[str, Any] | None = None
    state: str = ""
    signed_in: Assertion | None = None
    asserted: Assertion | None = None
    refused: str | None = None
    payments: list[dict[str, Any]] = field(default_factory=list)
    device_tokens: dict[str, str] = field(default_factory=dict)

    def leave(self) -> None:
        """Sign out. The device tokens stay: they say which browser this is, not who is in it."""
        self.signed_in, self.attempt, self.asserted, self.refused = None, None, None, None
        self.payments.clear()


class Bank:
    """The bank's own code; everything that it knows of Nightlatch is in here."""

    def __init__(self, nightlatch: AsyncNightlatch, return_url: str) -> None:
        self._nightlatch = nightlatch
        self._return_url = return_url

    async def sign_in(self, session: Session, username: str, browser: Browser) -> str | None:
        """The password was right. Where to send the browser next; None when the person is in, or is not."""
        session.username, session.signed_in = username, None
        return await self._ask(session, browser, action="login")

    async def pay(self, session: Session, browser: Browser, *, amount: str, to: str) -> str | None:
        """A payment is sensitive: policy wants a factor now, and the approval holds for these details alone."""
        return await self._ask(session, browser, action="transfer", details={"amount": amount, "to": to})

    async def _ask(
        self, session: Session, browser: Browser, *, action: str, details: dict[str, Any] | None = None
    ) -> str | None:
        """Step 1: ask for a decision. Nightlatch answers allow, challenge, enroll or deny, and why."""
        assert session.username is not None
        session.action, session.details = action, details
        session.state, session.refused, session.asserted = secrets.token_urlsafe(24), None, None
        session.attempt = await self._nightlatch.authenticate(
            session.username,
            ip=browser.ip,
            user_agent=browser.user_agent,
            device_token=session.device_tokens.get(session.username),
            action=action,
            action_details=details,
            first_factor="pwd",
            return_url=self._return_url,
            state=session.state,
        )
        if session.attempt.prompt_url is not None:
            return session.attempt.prompt_url
        await self._believe(session, session.attempt)
        return None

    async def come_back(self, session: Session, *, authentication: str, code: str, state: str) -> None:
        """Step 2: the browser is back from the prompt. The state must be this session's own."""
        attempt = session.attempt
        if attempt is None or attempt.id != authentication or not secrets.compare_digest(session.state, state):
            session.refused = "That answer was not for this browser."
            return
        try:
            result = await self._nightlatch.result(authentication, code)
        except Refused as refused:
            session.refused = refused.code
            return
        await self._believe(session, result)

    async def _believe(self, session: Session, answer: Authentication | Verification) -> None:
        """Step 3: believe what is signed, for this person, this attempt, this action, and nothing else."""
        attempt = session.attempt
        assert attempt is not None
        session.state = ""
        try:
            assertion = await self._nightlatch.verify(
                answer.assertion,
                expected_user=attempt.user,
                expected_authentication=attempt.id,
                expected_action=session.action,
                action_details=session.details,
                # Signing in may go without a second factor while policy lets it; a payment never may.
                acr="aal1" if session.action == "login" else "aal2",
            )
        except NotVerified:
            session.refused = str(answer.answer.get("reason") or "rejected")
            return
        if answer.device_token is not None and session.username is not None:
            session.device_tokens[session.username] = answer.device_token
        session.asserted = assertion
        if session.action == "login":
            session.signed_in = assertion
        else:
            session.payments.insert(0, {**(session.details or {}), "acr": assertion.acr})

    async def own_page(self, session: Session) -> str:
        """A one-time link to the person's own page."""
        assert session.username is not None
        answer = await self._nightlatch.call(Call("POST", f"/v1/users/{session.username}/portal-links"))
        return str(answer["url"])

    async def flood(self, username: str, code: str, *, times: int, ip: str) -> Counter[str]:
        """What a thief does who saw a code: send it often, all at once. How each try ended, counted."""

        async def one() -> str:
            try:
                answer = await self._nightlatch.verify_code(username, code, ip=ip, first_factor="pwd")
            except NightlatchError as error:
                return error.__class__.__name__.lower()
            return "accepted" if answer.approved else answer.reason or "rejected"

        return Counter(await asyncio.gather(*(one() for _ in range(times))))
