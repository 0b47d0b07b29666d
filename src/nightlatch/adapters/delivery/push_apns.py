"""Apple Push Notification service over HTTP/2 with a provider token ("Sending notification requests to APNs")."""

from __future__ import annotations

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey

from nightlatch.adapters.delivery.http import HttpAnswer, HttpSender
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.delivery import Accepted, NotSent, PushMessage
from nightlatch.ports.world import Clock

URL = "https://api.push.apple.com"

TOKEN_LIFE = 40 * MINUTE
"""Apple refuses tokens older than an hour, and ones made anew more often than every 20 minutes."""

_GONE = ("Unregistered", "BadDeviceToken", "DeviceTokenNotForTopic", "ExpiredToken")
_BUSY = (429, 500, 503)


class Apns:
    """See ``ports.delivery.PushTransport``. ``key`` is the PEM of the .p8 file, ``topic`` the app's bundle id."""

    def __init__(self, key: str, clock: Clock, *, key_id: str, team_id: str, topic: str, url: str = URL) -> None:
        self._key = ECKey.import_key(key)
        self._clock = clock
        self._key_id = key_id
        self._team_id = team_id
        self._topic = topic
        self._url = url.rstrip("/")
        self._token: tuple[str, int] = ("", 0)
        self._http = HttpSender(http2=True)

    async def send(self, message: PushMessage) -> Accepted:
        """Raises ``NotSent``; a device token that is no more good is gone."""
        device = message.subscription
        if not isinstance(device, str) or not device.isalnum() or len(device) > 200:
            raise NotSent("bad_subscription", permanent=True, gone=True)
        answer = await self._http.post(
            f"{self._url}/3/device/{device}",
            content=msgspec.json.encode(self._content(message)),
            headers={
                "authorization": f"bearer {self._provider_token()}",
                "apns-topic": self._topic,
                "apns-push-type": "alert",
                "apns-priority": "10",
                "apns-expiration": str(self._clock.now() // SECOND + message.ttl),
                "apns-collapse-id": message.topic,
            },
        )
        if not answer.good:
            raise _refusal(answer)
        return Accepted()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    def _content(self, message: PushMessage) -> dict[str, object]:
        shown = message.content["notification"]
        return {
            "aps": {"alert": {"title": shown["title"], "body": shown["body"]}, "sound": "default"},
            "nightlatch": message.content["nightlatch"],
        }

    def _provider_token(self) -> str:
        now = self._clock.now()
        text, made_at = self._token
        if not text or not 0 <= now - made_at < TOKEN_LIFE:
            header = {"alg": "ES256", "kid": self._key_id}
            text = jwt.encode(header, {"iss": self._team_id, "iat": now // SECOND}, self._key, algorithms=["ES256"])
            self._token = (text, now)
        return text


def _refusal(answer: HttpAnswer) -> NotSent:
    said = answer.json()
    reason = said.get("reason") if isinstance(said, dict) else None
    if answer.status == 410 or reason in _GONE:
        return NotSent("subscription_gone", permanent=True, gone=True)
    return NotSent(f"apns_{answer.status}", permanent=answer.status not in _BUSY)
