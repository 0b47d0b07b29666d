"""Requests and answers without the wire, shared by the synchronous and asynchronous clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Required, TypedDict

import httpx

from nightlatch_client.errors import Refused, Unreachable

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to make."""

    method: str
    path: str
    json: Json | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Authentication:
    """Where one attempt stands. ``answer`` is everything that the server said."""

    id: str
    user: str
    decision: str
    status: str
    prompt_url: str | None
    assertion: str | None
    device_token: str | None
    answer: Json = field(repr=False)

    @property
    def reasons(self) -> list[Json]:
        """Why it was decided so: ``code``, ``rule``, ``effect``, ``detail``."""
        return list(self.answer.get("reasons", ()))

    @property
    def factors(self) -> list[Json]:
        """What the person may answer with: ``id``, ``kind``, ``label``, ``hint``."""
        return list(self.answer.get("factors", ()))


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of one answer. ``approved`` alone is a yes, and only with its assertion."""

    status: str
    assertion: str | None
    device_token: str | None
    reason: str | None
    retry_after: int | None
    answer: Json = field(repr=False)

    @property
    def approved(self) -> bool:
        """Whether the server said yes; check the assertion before you believe it."""
        return self.status == "approved" and self.assertion is not None


def without_none(**fields: Any) -> Json:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value is not None}


def read(response: httpx.Response) -> Json:
    """The JSON object of a good answer. Raises ``Refused`` or ``Unreachable``."""
    try:
        body = response.json() if response.content else {}
    except ValueError as error:
        raise Unreachable(f"the answer ({response.status_code}) is no JSON") from error
    if not isinstance(body, dict):
        raise Unreachable("the answer is no JSON object")
    if response.is_success:
        return body
    if response.status_code == 503 and "code" not in body:
        raise Unreachable("the server is not available")
    after = response.headers.get("Retry-After", "")
    raise Refused(response.status_code, body, int(after) if after.isdecimal() else None)


def authentication(answer: Json) -> Authentication:
    """Read an authentication. Raises ``Unreachable`` for an answer of another shape."""
    try:
        return Authentication(
            id=answer["id"],
            user=answer["user"],
            decision=answer["decision"],
            status=answer["status"],
            prompt_url=answer.get("prompt_url"),
            assertion=answer.get("assertion"),
            device_token=answer.get("device_token"),
            answer=answer,
        )
    except KeyError as missing:
        raise Unreachable(f"the answer has no {missing}") from missing


def verification(answer: Json) -> Verification:
    """Read a verification; whatever is not clearly approved is rejected."""
    return Verification(
        status="approved" if answer.get("status") == "approved" else "rejected",
        assertion=answer.get("assertion"),
        device_token=answer.get("device_token"),
        reason=answer.get("reason"),
        retry_after=answer.get("retry_after"),
        answer=answer,
    )


KEYS_PATH = "/.well-known/jwks.json"


class Attempt(TypedDict, total=False):
    """Who is asked about, and from where. ``ip`` is the person's own address, not yours."""

    ip: Required[str]
    user_agent: str | None
    device_token: str | None
    action: str
    acr: str | None
    first_factor: Literal["pwd", "none"] | None


class Start(Attempt, total=False):
    """What an authentication may be started with besides."""

    action_details: Mapping[str, Any] | None
    return_url: str | None
    state: str | None


class OneShot(Attempt, total=False):
    """What a code may be judged with besides."""

    factor: str | None


_CONTEXT = ("ip", "user_agent", "device_token")


def start(user: str | Json, options: Start) -> Call:
    """``POST /v1/authentications``; a dict with ``username`` creates an unknown person."""
    return Call("POST", "/v1/authentications", {"user": user, **_body(options)})


def one_shot(user: str, code: str, options: OneShot) -> Call:
    """``POST /v1/verify``."""
    return Call("POST", "/v1/verify", {"user": user, "code": code, **_body(options)})


def answer(authentication_id: str, code: str, factor: str | None, remember_device: bool) -> Call:
    """``POST …/verifications``."""
    body = without_none(code=code, factor=factor, remember_device=remember_device or None)
    return Call("POST", of(authentication_id, "/verifications"), body)


def read_call(authentication_id: str, wait: int) -> Call:
    """``GET …?wait=``; the answer may take so long, and a little more."""
    query = {"wait": str(wait)} if wait else {}
    return Call("GET", of(authentication_id), query=query, timeout=wait + 10.0)


def result(authentication_id: str, code: str) -> Call:
    """``POST …/result``."""
    return Call("POST", of(authentication_id, "/result"), {"code": code})


def _body(options: Mapping[str, Any]) -> Json:
    told = {name: value for name, value in options.items() if value is not None}
    context = {name: told.pop(name) for name in _CONTEXT if name in told}
    return {**told, "context": context}


def of(authentication_id: str, part: str = "") -> str:
    """A path under one authentication; an id never reaches another path."""
    if not authentication_id.startswith("atn_") or not authentication_id[4:].isalnum():
        raise ValueError("not the id of an authentication")
    return f"/v1/authentications/{authentication_id}{part}"
