"""Paired phones whose keys the benchmark can compute, and what they sign (ES256, docs/reference/push-protocol.md)."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from functools import cached_property
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

REQUEST = "nightlatch-push-request+jwt"
RESPONSE = "nightlatch-push-response+jwt"
LIFE = 120
LIST = "/v1/push/challenges"

_BYTES = 32
_ECDSA = ec.ECDSA(SHA256())
_NO_BODY = hashlib.sha256(b"").digest()


class Phone:
    """The phone of user 0, 1, … ``aud`` is the server's public address."""

    def __init__(self, number: int, aud: str = "") -> None:
        self._number = number
        self._aud = aud

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        digest = hashlib.sha256(b"nightlatch benchmark phone %d" % self._number).digest()
        # Below the order of P-256, which begins with four bytes of ones.
        return ec.derive_private_key(int.from_bytes(b"\0" + digest[1:], "big"), ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, str]:
        """The public key, as it is registered."""
        point = self._key.public_key().public_numbers()
        x, y = (_base64url(part.to_bytes(_BYTES, "big")) for part in (point.x, point.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    def asks(self, factor: str) -> str:
        """The header of a request for what waits for this phone."""
        claims = {
            "aud": self._aud,
            "htm": "GET",
            "htu": LIST,
            "body_hash": _base64url(_NO_BODY),
            "iat": int(time.time()),
            "jti": secrets.token_urlsafe(16),
        }
        return "Push " + self._signed(REQUEST, factor, claims)

    def approves(self, user: str, challenge: dict[str, Any], number: str) -> str:
        """The response that approves a challenge, as it was listed, with the number that the sign-in shows."""
        now = int(time.time())
        claims = {
            "iss": challenge["factor"],
            "aud": self._aud,
            "challenge": challenge["nonce"],
            "user": user,
            "factor": challenge["factor"],
            "application": challenge["application"]["id"],
            "action": challenge["action"],
            "action_hash": challenge["action_hash"],
            "decision": "approve",
            "number": number,
            "iat": now,
            "exp": now + LIFE,
        }
        return self._signed(RESPONSE, challenge["factor"], claims)

    def _signed(self, typ: str, factor: str, claims: dict[str, Any]) -> str:
        parts = ({"alg": "ES256", "typ": typ, "kid": factor}, claims)
        text = ".".join(_base64url(msgspec.json.encode(part)) for part in parts)
        r, s = decode_dss_signature(self._key.sign(text.encode(), _ECDSA))
        return f"{text}.{_base64url(r.to_bytes(_BYTES, 'big') + s.to_bytes(_BYTES, 'big'))}"


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
