"""Who calls, by the API key that came with a request."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.domain.crypto.tokens import hash_token, is_api_key
from nightlatch.domain.errors import Unauthenticated


async def caller_by_key(ports: Ports, text: str) -> Caller:
    """The application that holds this key, and what it may do.

    A text that can be no key is refused without a look-up. Raises ``Unauthenticated``, which does not tell an unknown
    key from a revoked one.
    """
    if not is_api_key(text):
        raise Unauthenticated
    hash_ = hash_token(text)
    kept = await ports.catalog.application_by_key(hash_)
    if kept is None or kept.application.revoked_at is not None:
        raise Unauthenticated
    key = next((key for key in kept.keys if key.hash == hash_), None)
    if key is None or key.revoked_at is not None:
        raise Unauthenticated
    application = kept.application
    return Caller(f"application:{application.id}", application, frozenset(key.scopes), hash_)
