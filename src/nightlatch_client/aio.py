"""The asynchronous client."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from nightlatch_client import protocol
from nightlatch_client.assertions import Assertion, Expected, NotVerified, UnknownKey, check
from nightlatch_client.errors import NightlatchError, Unreachable
from nightlatch_client.keys import HeldKeys
from nightlatch_client.protocol import KEYS_PATH, Authentication, Call, Json, OneShot, Start, Verification


class AsyncNightlatch:
    """Talks to one server as one application.

    ``application`` is the id that ``nightlatch app create`` printed beside the key; assertions for
    others are refused. ``issuer`` defaults to the server's address. Use it as a context manager, or
    call ``aclose``. Every method raises ``Refused`` or ``Unreachable``; neither is a yes.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        application: str,
        issuer: str | None = None,
        timeout: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._application = application
        self._issuer = issuer or url.rstrip("/")
        self._keys = HeldKeys()
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {api_key}", "Accept": "application/json"},
            timeout=timeout,
            transport=transport,
        )

    async def authenticate(self, user: str | Json, **options: Unpack[Start]) -> Authentication:
        """Ask for a decision on one attempt of a user."""
        return protocol.authentication(await self.call(protocol.start(user, options)))

    async def read(self, authentication: str, *, wait: int = 0) -> Authentication:
        """An authentication as it stands; with ``wait`` (seconds) as soon as it is decided."""
        return protocol.authentication(await self.call(protocol.read_call(authentication, wait)))

    async def answer(
        self, authentication: str, code: str, *, factor: str | None = None, remember_device: bool = False
    ) -> Verification:
        """Have one code judged for a pending authentication."""
        call = protocol.answer(authentication, code, factor, remember_device)
        return protocol.verification(await self.call(call))

    async def verify_code(self, user: str, code: str, **options: Unpack[OneShot]) -> Verification:
        """Decision and verification in one call, for logins that already hold the code."""
        return protocol.verification(await self.call(protocol.one_shot(user, code, options)))

    async def skip(self, authentication: str) -> Verification:
        """Go on without a second factor while the grace period lasts."""
        return protocol.verification(await self.call(Call("POST", protocol.of(authentication, "/skip"))))

    async def cancel(self, authentication: str) -> Authentication:
        """Give an authentication up."""
        return protocol.authentication(await self.call(Call("POST", protocol.of(authentication, "/cancellation"))))

    async def result(self, authentication: str, code: str) -> Verification:
        """Redeem the code that came back from the hosted prompt, once and within a minute.

        Compare ``state`` with your own session's before you call this.
        """
        return protocol.verification(await self.call(protocol.result(authentication, code)))

    async def verify(
        self,
        assertion: str | None,
        *,
        expected_user: str,
        expected_authentication: str,
        expected_action: str = "login",
        acr: str = "aal2",
        action_details: Json | None = None,
    ) -> Assertion:
        """Check an assertion completely; return it only if everything holds.

        ``expected_user`` is the user's id. Raises ``NotVerified``, also when the server's keys cannot be
        read: what cannot be checked is a no.
        """
        expected = Expected(
            issuer=self._issuer,
            application=self._application,
            user=expected_user,
            authentication=expected_authentication,
            action=expected_action,
            acr=acr,
            action_details=action_details,
        )
        if not assertion:
            raise NotVerified("missing", "there is no assertion")
        try:
            return check(assertion, await self._key_set(), expected, now=time.time())
        except UnknownKey:
            return check(assertion, await self._key_set(unknown=True), expected, now=time.time())

    async def call(self, call: Call) -> Json:
        """Any other route of the API: one request, one JSON object."""
        extra: dict[str, Any] = {} if call.timeout is None else {"timeout": call.timeout}
        try:
            response = await self._http.request(
                call.method, call.path, json=call.json, params=call.query, headers=call.headers, **extra
            )
        except httpx.HTTPError as error:
            raise Unreachable(f"{call.method} {call.path}: {type(error).__name__}") from error
        return protocol.read(response)

    async def _key_set(self, *, unknown: bool = False) -> Json:
        held = self._keys.at(time.monotonic(), unknown=unknown)
        if held is not None:
            return held
        try:
            return self._keys.keep(await self.call(Call("GET", KEYS_PATH)), time.monotonic())
        except NightlatchError as error:
            raise NotVerified("unreachable", "the server's keys could not be read") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
