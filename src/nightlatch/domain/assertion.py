"""What we tell an application: the claims of an assertion (RFC 7519, OpenID Connect Core §2). Signing is a port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightlatch.domain.assurance import REGISTERED_AMR, Assurance, FirstFactor
from nightlatch.domain.time import MINUTE, SECOND

TYPE = "nightlatch-assertion+jwt"
"""The ``typ`` header (RFC 8725 §3.11): no other token of ours passes for an assertion."""

LIFETIME = 5 * MINUTE


def claims(
    *,
    issuer: str,
    audience: str,
    subject: str,
    username: str,
    now: int,
    auth_time: int,
    acr: Assurance,
    amr: Sequence[str],
    first_factor: FirstFactor | None,
    action: str,
    action_hash: str | None,
    authentication: str,
    jti: str,
    ends: int | None = None,
) -> dict[str, Any]:
    """The claims, ready to be signed. ``now``, ``auth_time`` and ``ends`` are instants (µs); claims are whole seconds.

    ``ends`` is the end of its life, never past ``LIFETIME`` from now: a policy's ``max_age``, or an approval that is
    told late, shortens it. ``audience`` is the application's id, ``subject`` the user's. A claim about which nothing
    is known is left out, and a reader takes what is missing for the weakest (E8). Raises ``ValueError`` for an
    ``amr`` that is not registered, a proof from the future, or ``mfa`` beside an ``acr`` that does not bear it out.
    """
    if not REGISTERED_AMR.issuperset(amr):
        raise ValueError("amr values that are not registered")
    if ("mfa" in amr) is not (acr is not Assurance.AAL1):
        raise ValueError("mfa and an acr above aal1 come together or not at all")
    if auth_time > now:
        raise ValueError("nothing can have been proved after now")
    issued = now // SECOND
    said: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "preferred_username": username,
        "iat": issued,
        "exp": min(now + LIFETIME, ends or now + LIFETIME) // SECOND,
        "auth_time": auth_time // SECOND,
        "acr": acr.value,
        "amr": list(amr),
        "action": action,
        "txn": authentication,
        "jti": jti,
    }
    if first_factor is not None:
        said["first_factor"] = first_factor
    if action_hash is not None:
        said["action_hash"] = action_hash
    return said
