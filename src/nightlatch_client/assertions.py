"""Read what Nightlatch asserts, and believe no more of it than is signed.

Everything is checked, nothing is assumed: a claim that is missing counts as the weakest value
that it could have, and whatever cannot be checked is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import rfc8785
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

TYPE: Final = "nightlatch-assertion+jwt"
ALGORITHM: Final = "ES256"
LEVELS: Final = ("aal1", "aal2", "phr", "phrh")
LEEWAY: Final = 30
"""Seconds that the clocks of application and server may differ."""

_LONGEST: Final = 16 * 1024


class NotVerified(Exception):
    """The assertion must not be relied on. ``reason`` is a stable word, such as ``expired``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class UnknownKey(NotVerified):
    """Signed with a key that is not in the key set at hand; a fresh key set may hold it."""

    def __init__(self) -> None:
        super().__init__("unknown_key", "no key of this server signed it")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the application knows about the sign-in that it is finishing."""

    issuer: str
    application: str
    user: str
    authentication: str
    action: str = "login"
    acr: str = "aal2"
    action_details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Assertion:
    """What was proved, by whom, for what. Times are seconds since the epoch."""

    user: str
    username: str | None
    authentication: str
    action: str
    acr: str
    amr: tuple[str, ...]
    auth_time: int
    expires_at: int
    jti: str
    claims: Mapping[str, Any] = field(repr=False)


def check(token: str, keys: Mapping[str, Any], expected: Expected, *, now: float) -> Assertion:
    """Check a compact JWS against a key set (RFC 7517) and what is expected.

    ``now`` is in seconds since the epoch. Raises ``NotVerified``.
    """
    if expected.acr not in LEVELS:
        raise ValueError(f"acr must be one of {', '.join(LEVELS)}")
    claims = _signed(token, keys)
    _require(claims, "iss", expected.issuer)
    _require(claims, "aud", expected.application)
    _require(claims, "sub", expected.user)
    _require(claims, "txn", expected.authentication)
    _require(claims, "action", expected.action)
    if expected.action_details is not None:
        _require(claims, "action_hash", action_hash(expected.action_details))
    expires_at = _time(claims, "exp")
    if now >= expires_at + LEEWAY:
        raise NotVerified("expired", "its time is over; start a new authentication")
    if _time(claims, "iat") > now + LEEWAY or _time(claims, "auth_time") > now + LEEWAY:
        raise NotVerified("not_yet", "it comes from the future; check both clocks")
    return _assertion(claims, expires_at, expected)


def action_hash(details: Mapping[str, Any]) -> str:
    """What an approval is bound to: SHA-256 of the details in canonical JSON (RFC 8785)."""
    digest = hashlib.sha256(rfc8785.dumps(dict(details))).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _signed(token: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of a token that one of the keys signed; the header chooses no algorithm."""
    if len(token) > _LONGEST:
        raise NotVerified("malformed", "too long for an assertion")
    try:
        header = jws.extract_compact(token.encode()).headers()
        if header.get("typ") != TYPE or header.get("alg") != ALGORITHM or "crit" in header:
            raise NotVerified("wrong_type", "no Nightlatch assertion")
        known = [key for key in keys.get("keys", ()) if _usable(key, header.get("kid"))]
        if not known:
            raise UnknownKey
        signed = jws.deserialize_compact(token, KeySet.import_key_set({"keys": known}), algorithms=[ALGORITHM])
        claims = _decoded(signed.payload)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotVerified("bad_signature", "it was changed, or signed by somebody else") from error
    return claims


def _usable(key: Mapping[str, Any], kid: object) -> bool:
    return (
        isinstance(kid, str)
        and key.get("kid") == kid
        and key.get("kty") == "EC"
        and key.get("crv") == "P-256"
        and key.get("use", "sig") == "sig"
        and key.get("alg", ALGORITHM) == ALGORITHM
    )


def _decoded(payload: bytes) -> dict[str, Any]:
    import json

    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise ValueError("no claims")
    return claims


def _require(claims: Mapping[str, Any], name: str, wanted: str) -> None:
    """The claim must be there and be exactly this; an array or a prefix is not."""
    told = claims.get(name)
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), wanted.encode()):
        raise NotVerified(f"wrong_{name}", f"{name} is not what was expected")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotVerified(f"wrong_{name}", f"{name} is missing")
    return value


def _assertion(claims: dict[str, Any], expires_at: float, expected: Expected) -> Assertion:
    acr = claims.get("acr")
    level = LEVELS.index(acr) if acr in LEVELS else 0
    amr = claims.get("amr")
    methods = tuple(value for value in amr if isinstance(value, str)) if isinstance(amr, Sequence) else ()
    if level > 0 and "mfa" not in methods:
        level = 0
    if level < LEVELS.index(expected.acr):
        raise NotVerified("insufficient_acr", f"{LEVELS[level]} was proved, {expected.acr} is needed")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise NotVerified("wrong_jti", "jti is missing")
    username = claims.get("preferred_username")
    return Assertion(
        user=expected.user,
        username=username if isinstance(username, str) else None,
        authentication=expected.authentication,
        action=expected.action,
        acr=LEVELS[level],
        amr=methods,
        auth_time=int(_time(claims, "auth_time")),
        expires_at=int(expires_at),
        jti=jti,
        claims=claims,
    )
