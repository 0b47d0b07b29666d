"""An authenticator that answers pushes: for desktops, for tests, and to read before writing one for a phone.

The protocol is written down message by message in docs/reference/push-protocol.md. Everything that is signed here is
ES256 (RFC 7518 §3.4) by a key that is made here and never leaves; the server keeps its public part.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import httpx
from joserfc import jws
from joserfc.jwk import ECKey

from nightlatch_client.errors import Unreachable
from nightlatch_client.protocol import Json, read

PAIRING: Final = "nightlatch-push-pairing+jwt"
REQUEST: Final = "nightlatch-push-request+jwt"
RESPONSE: Final = "nightlatch-push-response+jwt"

LIFE: Final = 60
"""Seconds that a response is good for; the server takes at most 120."""

Decision = Literal["approve", "deny", "not_me"]

_LOOK_ALIKES: Final = str.maketrans("OILU", "011V")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign-in that waits for an answer. ``asked`` is everything that the server told of it."""

    id: str
    action: str
    application: str | None
    network: str | None
    browser: str | None
    asked: Json


class Authenticator:
    """One paired account. Use it as a context manager, or call ``close``."""

    def __init__(
        self, url: str, factor: str, user: Json, key: ECKey, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self.factor = factor
        self.user = user
        self._key = key
        self._http = httpx.Client(base_url=self.url, timeout=10.0, transport=transport)

    @classmethod
    def pair(
        cls, uri: str, *, name: str, code: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> tuple[Self, Waiting]:
        """Pair with the address of a QR picture, or with a server's address and a typed ``code``.

        The answer's second part waits for the number that stands beside the picture: give it to ``approve``.
        Raises ``Refused`` for a code that is wrong, used or over.
        """
        url, scanned = _split(uri)
        symbols = normal_code(code or scanned)
        key = ECKey.generate_key("P-256")
        public = {part: key.as_dict(private=False)[part] for part in ("kty", "crv", "x", "y")}
        now = int(time.time())
        digest = _sha256(symbols.encode())
        claims = {"aud": url, "code_hash": digest, "iat": now, "jti": secrets.token_urlsafe(16)}
        proof = _sign(key, {"typ": PAIRING, "jwk": public}, claims)
        with httpx.Client(base_url=url, timeout=10.0, transport=transport) as http:
            body = {"code": symbols, "public_key": public, "proof": proof, "name": name}
            paired = _sent(http, "POST", "/v1/push/pairings", body, {})
        phone = cls(url, paired["factor"], paired["user"], key, transport=transport)
        return phone, _waiting({**paired["challenge"], "factor": paired["factor"]})

    @classmethod
    def load(cls, path: Path, *, transport: httpx.BaseTransport | None = None) -> Self:
        """Read what ``save`` wrote. Raises ``ValueError`` for a file that others may read."""
        if path.stat().st_mode & 0o077:
            raise ValueError(f"{path} may be read by others; run: chmod 600 {path}")
        kept = json.loads(path.read_text(encoding="utf-8"))
        return cls(kept["url"], kept["factor"], kept["user"], ECKey.import_key(kept["key"]), transport=transport)

    def save(self, path: Path) -> None:
        """Keep the account in a file of this person alone. Raises ``FileExistsError``."""
        kept = {"url": self.url, "factor": self.factor, "user": self.user, "key": self._key.as_dict(private=True)}
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(kept, file)

    def waiting(self, *, wait: int = 0) -> list[Waiting]:
        """What waits for this phone; with ``wait`` (seconds, at most 30) as soon as something does."""
        query = {"wait": str(wait)} if wait else {}
        answer = self._call("GET", "/v1/push/challenges", query=query, timeout=wait + 10.0)
        return [_waiting(asked) for asked in answer["challenges"]]

    def approve(self, waiting: Waiting, number: str) -> str:
        """Approve with the six digits that the sign-in shows. ``approved`` alone is a yes."""
        return self._respond(waiting, "approve", number=re.sub(r"\D", "", number))

    def deny(self, waiting: Waiting, *, not_me: bool = False) -> str:
        """Say no; ``not_me`` blocks pushes until the account's owner unlocks them."""
        return self._respond(waiting, "not_me" if not_me else "deny")

    def ring_at(self, subscription: Json) -> None:
        """Say how this phone is rung, such as ``{"ntfy": "https://…"}``; ``{}`` for not at all."""
        self._call("PUT", "/v1/push/subscription", body={"subscription": subscription})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _respond(self, waiting: Waiting, decision: Decision, **more: str) -> str:
        now = int(time.time())
        asked = waiting.asked
        application = asked.get("application")
        claims = {
            "iss": self.factor,
            "aud": self.url,
            "challenge": asked["nonce"],
            "user": self.user["id"],
            "factor": self.factor,
            "application": application["id"] if isinstance(application, dict) else application,
            "action": asked["action"],
            "action_hash": asked.get("action_hash"),
            "decision": decision,
            "iat": now,
            "exp": now + LIFE,
            **more,
        }
        response = _sign(self._key, {"typ": RESPONSE, "kid": self.factor}, claims)
        path = f"/v1/push/challenges/{waiting.id}/response"
        return str(_sent(self._http, "POST", path, {"response": response}, {})["status"])

    def _call(
        self, method: str, path: str, *, query: Json | None = None, body: Json | None = None, timeout: float = 10.0
    ) -> Json:
        content = b"" if body is None else json.dumps(body).encode()
        claims = {
            "aud": self.url,
            "htm": method,
            "htu": path,
            "body_hash": _sha256(content),
            "iat": int(time.time()),
            "jti": secrets.token_urlsafe(16),
        }
        signed = _sign(self._key, {"typ": REQUEST, "kid": self.factor}, claims)
        headers = {"Authorization": f"Push {signed}"}
        if content:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._http.request(
                method, path, params=query or {}, content=content, headers=headers, timeout=timeout
            )
        except httpx.HTTPError as error:
            raise Unreachable(f"{method} {path}: {type(error).__name__}") from error
        return read(answer)


def normal_code(text: str) -> str:
    """A typed pairing code in its one spelling: capitals, no separators, look-alikes read as what they stand for."""
    return re.sub(r"[\s\-]+", "", text).upper().translate(_LOOK_ALIKES)


def _split(uri: str) -> tuple[str, str]:
    """The server's address and the code that a QR picture holds."""
    parts = urlsplit(uri)
    if parts.scheme not in ("https", "http") or not parts.netloc:
        raise ValueError("give the address that the picture holds, https://…/authenticator#…, or the server's own")
    base = parts.path.removesuffix("/authenticator").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{base}", parts.fragment


def _sent(http: httpx.Client, method: str, path: str, body: Json, headers: dict[str, str]) -> Json:
    try:
        return read(http.request(method, path, json=body, headers=headers))
    except httpx.HTTPError as error:
        raise Unreachable(f"{method} {path}: {type(error).__name__}") from error


def _waiting(asked: dict[str, Any]) -> Waiting:
    application = asked.get("application")
    place = asked.get("place")
    return Waiting(
        id=asked["id"],
        action=asked["action"],
        application=application["name"] if isinstance(application, dict) else None,
        network=place.get("network") if isinstance(place, dict) else None,
        browser=asked.get("user_agent"),
        asked=asked,
    )


def _sign(key: ECKey, header: dict[str, Any], claims: Json) -> str:
    payload = json.dumps(claims, separators=(",", ":"))
    return jws.serialize_compact({"alg": "ES256", **header}, payload, key, algorithms=["ES256"])


def _sha256(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
