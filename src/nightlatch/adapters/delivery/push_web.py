"""Web Push (RFC 8030), encrypted for the browser alone (RFC 8291), from a server that says who it is (RFC 8292)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from nightlatch.adapters.delivery.http import HttpAnswer, HttpSender
from nightlatch.domain.time import SECOND
from nightlatch.domain.webpush import (
    SALT_BYTES,
    BadSubscription,
    application_server_key,
    encrypt,
    origin_of,
    subscription_of,
    vapid_claims,
)
from nightlatch.ports.delivery import Accepted, NotSent, PushMessage
from nightlatch.ports.world import Clock, Entropy

KNOWN_SERVICES = (
    "https://fcm.googleapis.com",
    "https://updates.push.services.mozilla.com",
    "https://web.push.apple.com",
    "https://*.push.apple.com",
    "https://*.notify.windows.com",
)
"""The push services of the browsers. A phone names its own, so any other address would let it send us anywhere."""

STATEMENTS = 64
"""Push services that a statement is kept for. Phones may name any host under a star, each a service of its own."""

RENEW = 3600
"""Seconds before its end that a statement of who we are is made anew."""

_GONE = (404, 410)
_TOO_LARGE = 413
_BUSY = (429, 500, 502, 503, 504)


class WebPush:
    """See ``ports.delivery.PushTransport``. ``services`` are origins; ``*.`` stands for one or more labels.

    ``contact`` is a ``mailto:`` or ``https:`` address for the people who run the push service.
    """

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        clock: Clock,
        entropy: Entropy,
        *,
        contact: str,
        services: Sequence[str] = KNOWN_SERVICES,
    ) -> None:
        self._key = ECKey.import_key(_pem(key))
        self._public = application_server_key(key)
        self._clock = clock
        self._entropy = entropy
        self._contact = contact
        self._services = tuple(services)
        self._statements: dict[str, tuple[str, int]] = {}
        self._http = HttpSender()

    async def send(self, message: PushMessage) -> Accepted:
        """Raises ``NotSent``; 404 and 410 mean that the browser is reached there no more (RFC 8030 §7.3)."""
        try:
            to = subscription_of(message.subscription)
            if not is_known(to.endpoint, self._services):
                raise NotSent("unknown_push_service", permanent=True, gone=True)
            body = encrypt(
                msgspec.json.encode(message.content),
                to,
                private=ec.generate_private_key(ec.SECP256R1()),
                salt=self._entropy.bytes(SALT_BYTES),
            )
        except BadSubscription:
            raise NotSent("bad_subscription", permanent=True, gone=True) from None
        except ValueError:
            raise NotSent("too_large", permanent=True) from None
        answer = await self._http.post(to.endpoint, content=body, headers=self._headers(to.endpoint, message))
        if not answer.good:
            raise _refusal(answer)
        return Accepted()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    def _headers(self, endpoint: str, message: PushMessage) -> dict[str, str]:
        return {
            "Authorization": f"vapid t={self._statement(endpoint)}, k={self._public}",
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(message.ttl),
            "Topic": message.topic,
            "Urgency": "high",
        }

    def _statement(self, endpoint: str) -> str:
        """Who we are, signed for one push service, and used again until it is nearly over."""
        now = self._clock.now()
        origin = origin_of(endpoint)
        kept = self._statements.pop(origin, None)
        if kept is None or now // SECOND >= kept[1] - RENEW:
            claims = vapid_claims(endpoint, contact=self._contact, now=now)
            text = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, self._key, algorithms=["ES256"])
            kept = (text, claims["exp"])
        # The last of the dictionary is the last that was used.
        self._statements[origin] = kept
        while len(self._statements) > STATEMENTS:
            del self._statements[next(iter(self._statements))]
        return kept[0]


def is_known(endpoint: str, services: Sequence[str]) -> bool:
    """Whether an endpoint is at one of these services. Raises ``BadSubscription`` for what is no address."""
    origin = origin_of(endpoint)
    for service in services:
        scheme, _, host = service.partition("://")
        if host.startswith("*."):
            if origin.startswith(f"{scheme}://") and origin.endswith(host[1:]):
                return True
        elif origin == service:
            return True
    return False


def _refusal(answer: HttpAnswer) -> NotSent:
    if answer.status in _GONE:
        return NotSent("subscription_gone", permanent=True, gone=True)
    if answer.status == _TOO_LARGE:
        return NotSent("too_large", permanent=True)
    return NotSent(f"push_service_{answer.status}", permanent=answer.status not in _BUSY)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
