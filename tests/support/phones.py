"""A phone as the push protocol knows it: a key of its own, and what it signs. Every field can be said wrong."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from joserfc import jws
from joserfc.jwk import ECKey

from nightlatch.adapters.system import SystemClock
from nightlatch.domain.factors.push_protocol import ALGORITHM, PAIRING, REQUEST, RESPONSE, base64url
from nightlatch.domain.time import SECOND
from nightlatch.ports.world import Clock

LIFE = 90
"""Seconds that a response gives itself."""


def signed(header: Mapping[str, Any], claims: Mapping[str, Any], key: ECKey) -> str:
    """A compact JWS (ES256)."""
    return jws.serialize_compact(dict(header), msgspec.json.encode(claims), key, algorithms=[ALGORITHM])


@dataclass
class PushPhone:
    """One account on one phone. ``aud`` is the server's public address; ``factor`` is known once it is paired."""

    aud: str
    clock: Clock = field(default_factory=SystemClock)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    factor: str = ""
    user: str = ""

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as it is registered."""
        public = self.key.as_dict(private=False)
        return {name: public[name] for name in ("kty", "crv", "x", "y")}

    @property
    def seconds(self) -> int:
        """What the phone's clock says."""
        return self.clock.now() // SECOND

    def pairing(self, code: str, name: str = "Pixel 8", **fields: Any) -> dict[str, Any]:
        """The body of a pairing; ``fields`` of its proof or its body may be said otherwise."""
        claims = {
            "aud": self.aud,
            "code_hash": base64url(hashlib.sha256(code.encode()).digest()),
            "iat": self.seconds,
            "jti": secrets.token_hex(16),
        }
        claims |= {name_: fields.pop(name_) for name_ in list(fields) if name_ in claims}
        proof = signed({"alg": ALGORITHM, "typ": PAIRING, "jwk": self.jwk}, claims, self.key)
        return {"code": code, "public_key": self.jwk, "proof": proof, "name": name} | fields

    def paired(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Remember what the server said of the pairing; its challenge."""
        self.factor, self.user = answer["factor"], answer["user"]["id"]
        challenge: dict[str, Any] = answer["challenge"]
        return challenge

    def authorization(self, method: str, path: str, body: bytes = b"", **fields: Any) -> str:
        """The header of a signed request."""
        claims = {
            "aud": self.aud,
            "htm": method,
            "htu": path,
            "body_hash": base64url(hashlib.sha256(body).digest()),
            "iat": self.seconds,
            "jti": secrets.token_hex(16),
        } | fields
        return "Push " + signed({"alg": ALGORITHM, "typ": REQUEST, "kid": self.factor}, claims, self.key)

    def claims(self, challenge: Mapping[str, Any], decision: str, number: str | None, **fields: Any) -> dict[str, Any]:
        """What a response says; ``challenge`` as the server told it."""
        application = challenge["application"]
        said: dict[str, Any] = {
            "iss": self.factor,
            "aud": self.aud,
            "challenge": challenge["nonce"],
            "user": self.user,
            "factor": self.factor,
            "application": application["id"] if isinstance(application, Mapping) else application,
            "action": challenge["action"],
            "action_hash": challenge["action_hash"],
            "decision": decision,
            "iat": self.seconds,
            "exp": self.seconds + LIFE,
        }
        if number is not None:
            said["number"] = number
        return said | fields

    def response(
        self, challenge: Mapping[str, Any], decision: str = "approve", number: str | None = None, **fields: Any
    ) -> str:
        """A signed response."""
        claims = self.claims(challenge, decision, number, **fields)
        return signed({"alg": ALGORITHM, "typ": RESPONSE, "kid": self.factor}, claims, self.key)

    async def call(self, http: httpx.AsyncClient, method: str, path: str, json: Any = None) -> httpx.Response:
        """A signed request over HTTP."""
        body = b"" if json is None else msgspec.json.encode(json)
        headers = {"authorization": self.authorization(method, path.partition("?")[0], body)}
        if body:
            headers["content-type"] = "application/json"
        return await http.request(method, path, content=body, headers=headers)

    async def pair(self, http: httpx.AsyncClient, enrollment: Mapping[str, Any], **fields: Any) -> httpx.Response:
        """Take the code of an enrolment and answer its number."""
        paired = await http.post("/v1/push/pairings", json=self.pairing(enrollment["code"], **fields))
        assert paired.status_code == 201, paired.text
        challenge = self.paired(paired.json())
        return await self.answer(http, challenge, "approve", enrollment["number"])

    async def waiting(self, http: httpx.AsyncClient, wait: int = 0) -> list[dict[str, Any]]:
        """The challenges that wait for this phone."""
        path = "/v1/push/challenges" + (f"?wait={wait}" if wait else "")
        listed = await self.call(http, "GET", path)
        assert listed.status_code == 200, listed.text
        challenges: list[dict[str, Any]] = listed.json()["challenges"]
        return challenges

    async def answer(
        self,
        http: httpx.AsyncClient,
        challenge: Mapping[str, Any],
        decision: str,
        number: str | None = None,
        **fields: Any,
    ) -> httpx.Response:
        """Answer a challenge over HTTP."""
        signed_response = self.response(challenge, decision, number, **fields)
        return await http.post(f"/v1/push/challenges/{challenge['id']}/response", json={"response": signed_response})
