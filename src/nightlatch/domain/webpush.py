"""Web Push without I/O: encryption (RFC 8291 on RFC 8188) and how a server says who it is (RFC 8292).

The push service in between belongs to the browser's maker. It sees where a message goes, how long and how urgent it
is, and who sends it; not what it says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nightlatch.domain.time import HOUR, SECOND

LONGEST = 3993
"""Octets of a message that every push service takes: one record of 4096 with its header and tag (RFC 8291 §4)."""

SALT_BYTES = 16
AUTH_BYTES = 16
POINT_BYTES = 65

VAPID_LIFE = 12 * HOUR
"""How long one statement of who we are holds; RFC 8292 §2 allows 24 hours."""

_RECORD = 4096
_LAST_RECORD = b"\x02"
_LONGEST_ENDPOINT = 2048
# The order of P-256 (SEC 2 §2.4.2).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class BadSubscription(ValueError):
    """A subscription that no message can be sent to. The text says what is wrong with it."""


class Subscription(msgspec.Struct, frozen=True):
    """Where a browser is reached, and the keys that only it can open messages with."""

    endpoint: str
    p256dh: bytes
    auth: bytes

    def __repr__(self) -> str:
        """Without the endpoint: who knows it may send to the phone."""
        return "Subscription()"


def subscription_of(told: Any) -> Subscription:
    """Read what ``PushSubscription.toJSON()`` gives. Raises ``BadSubscription``."""
    keys = told.get("keys") if isinstance(told, dict) else None
    endpoint = told.get("endpoint") if isinstance(told, dict) else None
    if not isinstance(keys, dict) or not isinstance(endpoint, str) or len(endpoint) > _LONGEST_ENDPOINT:
        raise BadSubscription("Send the subscription as the browser gives it.")
    p256dh, auth = _bytes(keys.get("p256dh")), _bytes(keys.get("auth"))
    if len(auth) != AUTH_BYTES:
        raise BadSubscription("The secret of the subscription has 16 bytes.")
    _point(p256dh)
    return Subscription(endpoint, p256dh, auth)


def encrypt(message: bytes, to: Subscription, *, private: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body of a request, ``Content-Encoding: aes128gcm``. ``private`` and ``salt`` are new for every message.

    Raises ``ValueError`` for a message over 3993 octets or a salt of another length.
    """
    if len(message) > LONGEST:
        raise ValueError(f"a message has at most {LONGEST} octets")
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    ours = _uncompressed(private.public_key())
    shared = private.exchange(ec.ECDH(), _point(to.p256dh))
    secret = _hkdf(to.auth, shared, b"WebPush: info\0" + to.p256dh + ours, 32)
    key = _hkdf(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _hkdf(salt, secret, b"Content-Encoding: nonce\0", 12)
    header = salt + _RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return header + AESGCM(key).encrypt(nonce, message + _LAST_RECORD, None)


def vapid_key(digest: Callable[[str, bytes], bytes]) -> ec.EllipticCurvePrivateKey:
    """The key that we are known by to push services, from a digest that stays the same over rotation.

    Browsers bind a subscription to this key, so a new one would end them all.
    """
    for number in range(256):
        scalar = int.from_bytes(digest("vapid key", bytes([number])), "big")
        if 0 < scalar < _ORDER:
            return ec.derive_private_key(scalar, ec.SECP256R1())
    raise AssertionError("two hundred digests in a row above the order of the curve")  # pragma: no cover


def application_server_key(private: ec.EllipticCurvePrivateKey) -> str:
    """What a browser is given to subscribe with: the public point in base64url."""
    return _text(_uncompressed(private.public_key()))


def vapid_claims(endpoint: str, *, contact: str, now: int) -> dict[str, Any]:
    """Who we are, to the push service of this endpoint and to no other (RFC 8292 §2). ``now`` is in µs."""
    return {"aud": origin_of(endpoint), "exp": (now + VAPID_LIFE) // SECOND, "sub": contact}


def origin_of(endpoint: str) -> str:
    """Scheme, host and port of an address (RFC 6454 §6.2). Raises ``BadSubscription``."""
    parts = urlsplit(endpoint)
    try:
        port = parts.port
    except ValueError:
        raise BadSubscription("The endpoint is no address.") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
        raise BadSubscription("The endpoint is no address of a push service.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA-256 for at most one block (RFC 5869)."""
    return hmac.digest(hmac.digest(salt, secret, hashlib.sha256), info + b"\x01", hashlib.sha256)[:length]


def _uncompressed(public: ec.EllipticCurvePublicKey) -> bytes:
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _point(raw: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise BadSubscription("The key of the subscription is no point on P-256.") from None


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) > 256:
        raise BadSubscription("The keys of the subscription are base64url text.")
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadSubscription("The keys of the subscription are base64url text.") from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
