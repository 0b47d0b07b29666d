"""Whose address counts: the peer's, or what a trusted proxy says of it (X8)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from litestar.types import Scope

from nightlatch.web.settings import IPNetwork

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

UNKNOWN_ADDRESS = "::"
"""The unspecified address: a peer on a Unix socket has none."""


def client_address(scope: Scope, trusted: Sequence[IPNetwork]) -> str:
    """The address that this request came from.

    ``X-Forwarded-For`` is read from its right end, where the nearest proxy wrote, and only as long
    as each hop is trusted; whatever a client wrote further left is never believed.
    """
    client = scope.get("client")
    address = parsed(client[0]) if client else None
    if address is None:
        return UNKNOWN_ADDRESS
    for hop in reversed(_forwarded(scope) if trusted else ()):
        if not _is_trusted(address, trusted):
            break
        said = parsed(hop)
        if said is None:
            break
        address = said
    return str(address)


@lru_cache(maxsize=1024)
def parsed(text: str) -> IPAddress | None:
    """An address in its plain form (no port, no zone, IPv4 never dressed as IPv6), or None."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_trusted(address: IPAddress, trusted: Sequence[IPNetwork]) -> bool:
    return any(address in network for network in trusted)


def _forwarded(scope: Scope) -> list[str]:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop for value in values for hop in value.split(",")]
