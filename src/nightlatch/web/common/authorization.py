"""Who calls: an application, by its key; a phone, by its signature."""

from __future__ import annotations

from nightlatch.app.applications.by_key import caller_by_key
from nightlatch.app.context import Caller, Ports
from nightlatch.app.push.caller import NotPaired, Phone, phone_of
from nightlatch.domain.errors import Forbidden, Unauthenticated

BEARER = "bearer"
PUSH = "push"


async def caller_of(ports: Ports, authorization: bytes | None) -> Caller:
    """The application whose key this is. Raises ``Unauthenticated``, with one text for every bad key."""
    if authorization is None:
        raise Unauthenticated
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    if scheme.lower() != BEARER:
        raise Unauthenticated
    try:
        return await caller_by_key(ports, token.strip())
    except Unauthenticated:
        raise Unauthenticated("This API key is not valid.", extra={"error": "invalid_token"}) from None


async def signer_of(ports: Ports, authorization: bytes | None, *, method: str, path: str, body: bytes) -> Phone:
    """The phone that signed this request. Raises ``NotPaired``, with one text for every bad signature."""
    scheme, _, token = (authorization or b"").decode("latin-1").partition(" ")
    if scheme.lower() != PUSH:
        raise NotPaired
    return await phone_of(ports, token.strip(), method=method, path=path, body=body)


def check_scope(caller: Caller, scope: str) -> None:
    """Raises ``Forbidden`` (``missing_scope``), naming the scope."""
    if not caller.may(scope):
        raise Forbidden(f"This key lacks the scope {scope}.", code="missing_scope", extra={"scope": scope})
