"""ES256 (RFC 7518 §3.4): one key signs, others verify."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from nightlatch.adapters.keys.providers import KeyUnusable
from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.keys import published_keys, signing_key, signing_key_place, signing_keys
from nightlatch.domain.records import SigningKey
from nightlatch.ports.catalog import KeptKeys
from nightlatch.ports.keys import Sealer
from nightlatch.ports.world import Clock

_SIGNATURE_HALF = 32
_ALGORITHM = ec.ECDSA(hashes.SHA256())


class Es256Signer:
    """A ``Signer``. Empty until ``load``."""

    def __init__(self, sealer: Sealer, clock: Clock) -> None:
        self._sealer = sealer
        self._clock = clock
        self._in_force: tuple[SigningKey, ...] = ()
        self._private: dict[str, ec.EllipticCurvePrivateKey] = {}

    def load(self, kept: KeptKeys) -> None:
        """Take these keys; the ring that opens them must be loaded first. Raises ``KeyUnusable``."""
        in_force = tuple(signing_keys(kept.signing_keys))
        if not in_force:
            raise KeyUnusable("The database holds no signing key. Restore it from its backup.")
        self._private = {key.kid: self._opened(key) for key in in_force}
        self._in_force = in_force

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """A compact JWS (RFC 7515 §7.1) with ``alg``, ``kid`` and ``typ``."""
        kid = self.current_kid()
        header = msgspec.json.encode({"alg": "ES256", "kid": kid, "typ": typ})
        said = _base64url(header) + b"." + _base64url(msgspec.json.encode(dict(claims)))
        first, second = decode_dss_signature(self._private[kid].sign(said, _ALGORITHM))
        signature = first.to_bytes(_SIGNATURE_HALF, "big") + second.to_bytes(_SIGNATURE_HALF, "big")
        return (said + b"." + _base64url(signature)).decode("ascii")

    def jwks(self) -> dict[str, Any]:
        """The public keys, newest first: before they sign, and for a while after (RFC 7517 §5)."""
        return {"keys": [key.public_jwk for key in published_keys(self._in_force, self._clock.now())]}

    def current_kid(self) -> str:
        """The id of the key that signs now."""
        if not self._in_force:
            raise KeyUnusable("The keys are not loaded yet.")
        return signing_key(self._in_force, self._clock.now()).kid

    def _opened(self, key: SigningKey) -> ec.EllipticCurvePrivateKey:
        if key.kid in self._private:
            return self._private[key.kid]
        try:
            der = self._sealer.open(key.sealed, signing_key_place(key.kid))
        except SealBroken:
            raise KeyUnusable(f"Signing key {key.kid} was changed in the database. Restore the database.") from None
        private = load_der_private_key(der, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise KeyUnusable(f"Signing key {key.kid} is no P-256 key.")
        return private


def new_private_key() -> tuple[str, bytes, dict[str, Any]]:
    """A fresh P-256 key: its id (RFC 7638 thumbprint), PKCS #8 in DER, and public JWK.

    OpenSSL draws it from the kernel's generator itself; a curve's scalar is not just any bytes.
    """
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    point = {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(numbers.x.to_bytes(_SIGNATURE_HALF, "big")).decode("ascii"),
        "y": _base64url(numbers.y.to_bytes(_SIGNATURE_HALF, "big")).decode("ascii"),
    }
    kid = _base64url(hashlib.sha256(msgspec.json.encode(point, order="sorted")).digest()).decode()
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return kid, der, {**point, "kid": kid, "use": "sig", "alg": "ES256"}


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
