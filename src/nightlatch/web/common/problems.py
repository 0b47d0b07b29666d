"""Refusals as problem documents (RFC 9457): which status each kind has, and how it is written."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.errors import (
    Conflict,
    FieldProblem,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    Refusal,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unreadable,
)
from nightlatch.web.common.error_codes import title_of

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger("nightlatch.web")

Headers = list[tuple[bytes, bytes]]

UNAVAILABLE_RETRY_SECONDS = 1


class Malformed(Refusal):
    """The bytes are no request of ours: truncated JSON, invalid UTF-8, nested too deep (400)."""

    code = "malformed"
    detail = "The request cannot be read."


class MethodNotAllowed(Refusal):
    """There is something here, and this cannot be done to it (405)."""

    code = "method_not_allowed"
    detail = "This cannot be done here. The header Allow names what can."


class TooLarge(Refusal):
    """The body is longer than is accepted here (413)."""

    code = "body_too_large"
    detail = "The body is too large."


class TooSlow(Refusal):
    """The body did not arrive in time (408)."""

    code = "body_too_slow"
    detail = "The rest of the body did not arrive in time."


class UnsupportedMediaType(Refusal):
    """The body is of a type that is not accepted here (415)."""

    code = "unsupported_media_type"
    detail = "Send this body as application/json."


class NotAcceptable(Refusal):
    """The caller accepts none of the types that we could answer with (406)."""

    code = "not_acceptable"
    detail = "None of the types in Accept is offered here."


class PreconditionRequired(Refusal):
    """A change that needs ``If-Match`` came without it (428)."""

    code = "if_match_required"
    detail = "Say with If-Match which version you read, so that nobody's change is lost."


class Internal(Refusal):
    """A fault of ours; what it was is in the log under the request's id, and nowhere else (500)."""

    code = "internal_error"
    detail = "Something failed on our side. Nothing was approved. Quote the request id when you report it."


def unreadable(error: SealBroken, request_id: str) -> Unreadable:
    """The refusal of a request that met a sealed value which does not open; operators read of it in the log."""
    log.error("a sealed value does not open", reason=str(error), request_id=request_id)
    return Unreadable()


_STATUSES: dict[type[Refusal], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    TooSlow: 408,
    Conflict: 409,
    PreconditionFailed: 412,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    Invalid: 422,
    PreconditionRequired: 428,
    Throttled: 429,
    Internal: 500,
    Unavailable: 503,
}
_UNNAMED = 400


def status_of(refusal: Refusal | type[Refusal]) -> int:
    """The HTTP status of this kind of refusal."""
    kind = refusal if isinstance(refusal, type) else type(refusal)
    return next((_STATUSES[base] for base in kind.__mro__ if base in _STATUSES), _UNNAMED)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document. ``type`` opens the page of the ``code``; ``errors`` names every bad field."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[FieldProblem] = []
    retry_after: int | None = None
    scope: str | None = None
    id: str | None = None


def problem_of(refusal: Refusal, request_id: str, public_url: str) -> Problem:
    """The document that tells this refusal."""
    return Problem(
        type=type_of(refusal.code, public_url),
        title=title_of(refusal.code),
        status=status_of(refusal),
        code=refusal.code,
        detail=refusal.detail,
        request_id=request_id,
        errors=list(refusal.fields),
        retry_after=refusal.retry_after,
        scope=refusal.extra.get("scope"),
        id=refusal.extra.get("id"),
    )


def type_of(code: str, public_url: str) -> str:
    """The address of the page that explains this code."""
    return f"{public_url}/docs/errors/{code}"


_ENCODER = msgspec.json.Encoder()


def render_problem(refusal: Refusal, request_id: str, public_url: str) -> tuple[int, Headers, bytes]:
    """Status, headers and body of the answer."""
    problem = problem_of(refusal, request_id, public_url)
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    headers += [(name.encode(), value.encode()) for name, value in _headers_of(refusal).items()]
    return problem.status, headers, _ENCODER.encode(problem)


def _headers_of(refusal: Refusal) -> dict[str, str]:
    if isinstance(refusal, Unauthenticated):
        return {"www-authenticate": _challenge_of(refusal)}
    if isinstance(refusal, MethodNotAllowed) and "allow" in refusal.extra:
        return {"allow": refusal.extra["allow"]}
    if isinstance(refusal, Unavailable):
        return {"retry-after": str(refusal.retry_after or UNAVAILABLE_RETRY_SECONDS)}
    if refusal.retry_after is not None:
        return {"retry-after": str(refusal.retry_after)}
    return {}


def _challenge_of(refusal: Unauthenticated) -> str:
    """RFC 6750 §3: no error code for who sent no key at all. Phones sign, and have a scheme of their own."""
    scheme, error = refusal.extra.get("scheme", "Bearer"), refusal.extra.get("error")
    return f'{scheme} realm="nightlatch", error="{error}"' if error else f'{scheme} realm="nightlatch"'


def as_object(problem: Problem) -> dict[str, Any]:
    """The document as plain data, for examples."""
    plain: dict[str, Any] = msgspec.to_builtins(problem)
    return plain
