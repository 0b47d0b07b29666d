"""Slow work on one version of something is done by one at a time: of many who decide on it one can be stored."""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.domain.errors import Throttled
from nightlatch.domain.time import SECOND

TURN = 10 * SECOND
"""How long one may take; if the process dies meanwhile, the next try waits for as long."""


async def take_turn(ports: Ports, name: str) -> None:
    """Go on alone. Raises ``Throttled`` for all others."""
    if not await ports.ephemeral.add_if_absent(name, b"", ttl=TURN):
        raise Throttled("Too many requests at once for the same account.", retry_after=1)
