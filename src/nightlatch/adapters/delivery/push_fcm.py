"""Firebase Cloud Messaging, HTTP v1 ("FCM: send messages using the HTTP v1 API"), for phones with an app of its own.

The message is data only: the app decides what to show. Google sees its fields, so they name no person and no number.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from google.auth import exceptions, transport
from google.oauth2.service_account import Credentials

from nightlatch.adapters.delivery.http import HttpAnswer, HttpSender
from nightlatch.ports.delivery import Accepted, NotSent, PushMessage

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
URL = "https://fcm.googleapis.com"

_LONGEST_SECONDS = 30.0
"""More than the sender waits itself: for a loop that is gone."""

_NO_TOKEN = (exceptions.GoogleAuthError, ValueError, TypeError, OverflowError)
"""The last three: google-auth takes ``expires_in`` as it comes."""

_GONE = "UNREGISTERED"
_FINAL = ("INVALID_ARGUMENT", "SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR")


class Fcm:
    """See ``ports.delivery.PushTransport``. ``account`` is the JSON of a service account that may send."""

    def __init__(self, account: dict[str, Any], *, url: str = URL) -> None:
        self._credentials = Credentials.from_service_account_info(account, scopes=[SCOPE])  # type: ignore[no-untyped-call]
        self._url = f"{url.rstrip('/')}/v1/projects/{account['project_id']}/messages:send"
        self._refreshing = asyncio.Lock()
        self._http = HttpSender()

    async def send(self, message: PushMessage) -> Accepted:
        """Raises ``NotSent``; ``UNREGISTERED`` means that the app was removed."""
        if not isinstance(message.subscription, str):
            raise NotSent("bad_subscription", permanent=True, gone=True)
        token = await self._token()
        answer = await self._http.post(
            self._url,
            content=msgspec.json.encode({"message": _message(message, message.subscription)}),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        if not answer.good:
            raise _refusal(answer)
        said = answer.json()
        name = said.get("name") if isinstance(said, dict) else None
        return Accepted(reference=name if isinstance(name, str) else None)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    async def _token(self) -> str:
        """An access token; many senders wait for one refresh."""
        async with self._refreshing:
            if not self._credentials.valid:
                request = _Request(self._http, asyncio.get_running_loop())
                try:
                    await asyncio.to_thread(self._credentials.refresh, request)
                except _NO_TOKEN:
                    raise NotSent("no_access_token") from None
            return str(self._credentials.token)


def _message(message: PushMessage, token: str) -> dict[str, Any]:
    """Data fields are strings, as the API wants them."""
    data = message.content["nightlatch"]
    return {
        "token": token,
        "data": {name: str(value) for name, value in data.items()},
        "android": {"priority": "HIGH", "ttl": f"{message.ttl}s", "collapse_key": message.topic},
    }


def _refusal(answer: HttpAnswer) -> NotSent:
    said = answer.json()
    error = said.get("error") if isinstance(said, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    told = [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
    codes = {str(detail.get("errorCode")) for detail in told}
    if _GONE in codes or answer.status == 404:
        return NotSent("subscription_gone", permanent=True, gone=True)
    final = codes.intersection(_FINAL)
    reason = min(final).lower() if final else str(answer.status)
    return NotSent(f"fcm_{reason}", permanent=bool(final) or answer.status in (400, 403))


class _Request(transport.Request):
    """google-auth's own transports bring a second HTTP library. Its calls block, so it runs in a thread, and what it asks
    is sent from the loop, by the client that bounds each answer in time and size."""

    def __init__(self, sender: HttpSender, loop: asyncio.AbstractEventLoop) -> None:
        self._sender = sender
        self._loop = loop

    def __call__(
        self,
        url: str,
        method: str = "POST",  # noqa: ARG002 (the signature is google-auth's; a service account only posts)
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 (the sender has its own)
        **_: Any,
    ) -> _Response:
        asked = self._sender.post(url, content=body, headers=headers)
        try:
            answer = asyncio.run_coroutine_threadsafe(asked, self._loop).result(_LONGEST_SECONDS)
        except (NotSent, TimeoutError) as error:
            raise exceptions.TransportError(type(error).__name__) from None  # type: ignore[no-untyped-call]  # as below
        said = answer.json()
        # google-auth would stumble over the one, and keep the other for as long as it says.
        if not isinstance(said, dict) or (answer.good and not _fits_a_header(said.get("access_token"))):
            raise exceptions.TransportError("unusable")  # type: ignore[no-untyped-call]  # theirs is untyped
        return _Response(answer)


def _fits_a_header(token: object) -> bool:
    return isinstance(token, str) and token.isascii() and token.isprintable()


class _Response(transport.Response):
    def __init__(self, answer: HttpAnswer) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> dict[str, str]:
        return {}

    @property
    def data(self) -> bytes:
        return self._answer.body
