"""A factor's secret at rest: sealed, and bound to its row, its user and its column (K1)."""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.domain.crypto.sealing import Place, SealBroken
from nightlatch.domain.records import Factor


def factor_place(factor_id: str, user_id: str) -> Place:
    """Where a factor's secret is kept."""
    return Place("factors", factor_id, user_id, "sealed")


def open_secret(ports: Ports, factor: Factor) -> bytes:
    """The secret in clear: a TOTP or HOTP seed, or the JSON list of backup-code hashes.

    Raises ``SealBroken`` when it was changed, moved, or its key is unknown.
    """
    if factor.sealed is None:
        raise SealBroken("this factor has no secret")
    return ports.sealer.open(factor.sealed, factor_place(factor.id, factor.user_id))


def seal_secret(ports: Ports, secret: bytes, *, factor_id: str, user_id: str) -> bytes:
    """Seal a secret for its place."""
    return ports.sealer.seal(secret, factor_place(factor_id, user_id))
