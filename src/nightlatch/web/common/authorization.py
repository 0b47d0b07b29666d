"""Who calls: an application, by its key."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.domain.crypto.tokens import hash_token, is_api_key
from nightlatch.domain.errors import Forbidden, Unauthenticated

BEARER = "bearer "


async def caller_of(ports: Ports, authorization: bytes | None) -> Caller:
    """The application whose key this is. Raises ``Unauthenticated``, with one text for every bad key."""
    if authorization is None:
        raise Unauthenticated
    text = authorization.decode("latin-1")
    token = text[len(BEARER) :].strip()
    if text[: len(BEARER)].lower() != BEARER or not is_api_key(token):
        raise _bad_key()
    hashed = hash_token(token)
    kept = await ports.catalog.application_by_key(hashed)
    if kept is None or kept.application.revoked_at is not None:
        raise _bad_key()
    key = next((key for key in kept.keys if key.hash == hashed), None)
    if key is None or key.revoked_at is not None:
        raise _bad_key()
    application = kept.application
    return Caller(f"application:{application.id}", application, frozenset(key.scopes))


def check_scope(caller: Caller, scope: str) -> None:
    """Raises ``Forbidden`` (``missing_scope``), naming the scope."""
    if not caller.may(scope):
        raise Forbidden(f"This key lacks the scope {scope}.", code="missing_scope", extra={"scope": scope})


def _bad_key() -> Unauthenticated:
    return Unauthenticated("This API key is not valid.", extra={"error": "invalid_token"})
