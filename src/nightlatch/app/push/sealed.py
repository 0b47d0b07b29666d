"""What a push factor keeps sealed: until it is answered the code and number of its pairing, then how it is rung."""

from __future__ import annotations

from typing import Any

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.factors.secrets import open_secret, seal_secret
from nightlatch.app.push.messages import Subscription
from nightlatch.domain.crypto.sealing import Place
from nightlatch.domain.records import Factor


class PushSecret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``code`` until a phone took it, ``number`` until the phone answered it."""

    code: str | None = None
    number: str | None = None
    subscriptions: Subscription = Subscription()


def open_push_secret(ports: Ports, factor: Factor) -> PushSecret:
    """Raises ``SealBroken``."""
    return msgspec.json.decode(open_secret(ports, factor), type=PushSecret)


def seal_push_secret(ports: Ports, secret: PushSecret, *, factor_id: str, user_id: str) -> bytes:
    """Sealed for its place (K1)."""
    return seal_secret(ports, msgspec.json.encode(secret), factor_id=factor_id, user_id=user_id)


def number_place(challenge_id: str, user_id: str) -> Place:
    """Where the number of a challenge is kept, to show it again at the sign-in."""
    return Place("challenges", challenge_id, user_id, "sealed")


def number_key(ports: Ports) -> bytes:
    """The key of the MAC under which numbers are compared."""
    return ports.sealer.digest("push numbers", b"")


def ways_of(subscriptions: Subscription) -> dict[str, Any]:
    """Each way that a phone is rung, by its transport: a token, an address, or a browser's subscription."""
    ways: dict[str, Any] = msgspec.to_builtins(subscriptions)
    return ways
