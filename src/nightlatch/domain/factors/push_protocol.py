"""What phones sign: three small messages as compact JWS (RFC 7515), ES256 and nothing else.

A header chooses no algorithm, names no key address and brings no key, but for the pairing message, which proves
possession of the very key that is being registered. Unknown members are refused, in header and payload.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any, Final, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import UNSET, UnsetType

from nightlatch.domain.ids import FACTOR, is_id
from nightlatch.domain.outside import Unreadable, read_json
from nightlatch.domain.time import SECOND

ALGORITHM: Final = "ES256"
PAIRING: Final = "nightlatch-push-pairing+jwt"
REQUEST: Final = "nightlatch-push-request+jwt"
RESPONSE: Final = "nightlatch-push-response+jwt"

LEEWAY: Final = 60 * SECOND
"""How far (µs) a phone's clock may be off. What a challenge is good for, the server's clock alone decides (T10)."""

LONGEST_RESPONSE: Final = 120 * SECOND
"""The longest life (µs) that a response may give itself."""

LONGEST_TOKEN: Final = 8 * 1024

_NUMBER_BYTES = 32
"""A coordinate of P-256, and each half of a signature (RFC 7518 §3.4)."""

# It becomes part of a key: PostgreSQL keeps no U+0000 in one, and whoever lists keys wants to see where each ends.
_JTI = re.compile(r"[!-~]{16,64}")
_P256 = ec.SECP256R1()
_ES256 = ec.ECDSA(SHA256())

Decision = Literal["approve", "deny", "not_me"]

C = TypeVar("C", bound=msgspec.Struct)


class NotAccepted(Exception):
    """A message that is not what it must be. ``reason`` is a word for the log of events, never for the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PublicKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key on P-256 as JWK (RFC 7518 §6.2.1), with these members and no others; ``d`` above all not."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str

    def members(self) -> dict[str, Any]:
        """As plain data."""
        return {"crv": self.crv, "kty": self.kty, "x": self.x, "y": self.y}


class PairingClaims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``aud`` is the public address, ``code_hash`` SHA-256 of the pairing code, ``iat`` in seconds."""

    aud: str
    code_hash: str
    iat: int
    jti: str


class RequestClaims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One HTTP request: method, path without query, SHA-256 of the body; ``jti`` is used once."""

    aud: str
    htm: str
    htu: str
    body_hash: str
    iat: int
    jti: str


class ResponseClaims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the person decided, about exactly what. ``iat`` and ``exp`` in seconds."""

    iss: str
    aud: str
    challenge: str
    user: str
    factor: str
    application: str | None
    action: str
    action_hash: str | None
    decision: Decision
    iat: int
    exp: int
    number: str | UnsetType = UNSET
    uv: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a response must name, word for word (P4). ``created_at`` is the challenge's (µs)."""

    aud: str
    challenge: str
    user: str
    factor: str
    application: str | None
    action: str
    action_hash: str | None
    created_at: int


def public_key(jwk: dict[str, Any]) -> PublicKey:
    """The key, if it is a point on P-256 in its one spelling. Raises ``NotAccepted``."""
    try:
        key = msgspec.convert(jwk, PublicKey)
        _point(key)
    except (msgspec.ValidationError, ValueError) as error:
        raise NotAccepted("bad_key") from error
    return key


def pairing_claims(proof: str, key: PublicKey) -> PairingClaims:
    """The claims of a pairing message that this very key signed. Raises ``NotAccepted``."""
    header = _header(proof)
    if set(header) != {"alg", "typ", "jwk"} or header["typ"] != PAIRING or header["jwk"] != key.members():
        raise NotAccepted("wrong_header")
    return _signed(proof, key, PairingClaims)


def request_claims(token: str, key: PublicKey) -> RequestClaims:
    """The claims of a signed request. Raises ``NotAccepted``."""
    _require_named(_header(token), REQUEST)
    return _signed(token, key, RequestClaims)


def response_claims(token: str, key: PublicKey) -> ResponseClaims:
    """The claims of a signed response. Raises ``NotAccepted``."""
    _require_named(_header(token), RESPONSE)
    return _signed(token, key, ResponseClaims)


def factor_of(token: str) -> str:
    """The factor that a message names as its signer, not yet verified. Raises ``NotAccepted``."""
    kid = _header(token).get("kid")
    if not isinstance(kid, str) or not is_id(kid, FACTOR):
        raise NotAccepted("wrong_header")
    return kid


def check_pairing(claims: PairingClaims, *, aud: str, code: str, now: int) -> None:
    """Return if a pairing message is for us, for this code and of now. Raises ``NotAccepted``."""
    _require(claims.aud == aud, "aud")
    _require(claims.code_hash == digest(code.encode()), "code_hash")
    _require(_is_now(claims.iat, now), "iat")


def check_request(claims: RequestClaims, *, aud: str, method: str, path: str, body: bytes, now: int) -> None:
    """Return if a signed request is the one at hand. That ``jti`` is new, the caller sees to. Raises ``NotAccepted``."""
    _require(claims.aud == aud, "aud")
    _require(claims.htm == method, "htm")
    _require(claims.htu == path, "htu")
    _require(claims.body_hash == digest(body), "body_hash")
    _require(_is_now(claims.iat, now), "iat")
    _require(_JTI.fullmatch(claims.jti) is not None, "jti")


def check_response(claims: ResponseClaims, asked: Asked, now: int) -> None:
    """Return if a response answers what was asked, all of it, and now (P4). Raises ``NotAccepted``.

    The number is compared elsewhere: a wrong one is a decision, not a forgery.
    """
    _require(claims.iss == claims.factor == asked.factor, "factor")
    for name in ("aud", "challenge", "user", "application", "action", "action_hash"):
        _require(getattr(claims, name) == getattr(asked, name), name)
    # Approving without the number would be approving by reflex (P1).
    _require((claims.decision == "approve") is (claims.number is not UNSET), "number")
    _require(_is_now(claims.iat, now), "iat")
    _require(claims.iat * SECOND >= asked.created_at - LEEWAY, "iat")
    _require(0 < (claims.exp - claims.iat) * SECOND <= LONGEST_RESPONSE, "exp")
    _require(now < claims.exp * SECOND + LEEWAY, "exp")


def digest(data: bytes) -> str:
    """SHA-256 in base64url without padding."""
    return base64url(hashlib.sha256(data).digest())


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    """The bytes, of their one spelling alone. Raises ``ValueError``."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if base64url(raw) != text:
        raise ValueError("not base64url as it is written")
    return raw


def _header(token: str) -> dict[str, Any]:
    """The protected header, if it is of our one algorithm."""
    if len(token) > LONGEST_TOKEN or not token.isascii() or token.count(".") != 2:
        raise NotAccepted("malformed")
    try:
        header = read_json(_decoded(token.partition(".")[0]), dict[str, Any])
    except ValueError as error:
        raise NotAccepted("malformed") from error
    if header.get("alg") != ALGORITHM:
        raise NotAccepted("wrong_algorithm")
    return header


def _require_named(header: dict[str, Any], typ: str) -> None:
    if set(header) != {"alg", "typ", "kid"} or header["typ"] != typ:
        raise NotAccepted("wrong_header")


def _signed(token: str, key: PublicKey, claims: type[C]) -> C:
    """The claims, if this key signed them (RFC 7515 §5.2). The header was looked at before."""
    text, _, signature = token.rpartition(".")
    try:
        raw = _decoded(signature)
        if len(raw) != 2 * _NUMBER_BYTES:
            raise NotAccepted("bad_signature")
        halves = (int.from_bytes(half, "big") for half in (raw[:_NUMBER_BYTES], raw[_NUMBER_BYTES:]))
        _point(key).verify(encode_dss_signature(*halves), text.encode("ascii"), _ES256)
        payload = _decoded(text.partition(".")[2])
    except (InvalidSignature, ValueError) as error:
        raise NotAccepted("bad_signature") from error
    try:
        return read_json(payload, claims)
    except Unreadable as error:
        raise NotAccepted("malformed") from error


def _point(key: PublicKey) -> ec.EllipticCurvePublicKey:
    """The key as it verifies. Raises ``ValueError`` for what is no point on the curve."""
    coordinates = _decoded(key.x), _decoded(key.y)
    if any(len(coordinate) != _NUMBER_BYTES for coordinate in coordinates):
        raise ValueError("a coordinate of another size")
    return ec.EllipticCurvePublicKey.from_encoded_point(_P256, b"\x04" + b"".join(coordinates))  # SEC 1 §2.3.3


def _is_now(seconds: int, now: int) -> bool:
    return abs(seconds * SECOND - now) <= LEEWAY


def _require(holds: bool, field: str) -> None:
    if not holds:
        raise NotAccepted(f"wrong_{field}")
