"""Where a request comes from: the address, and the network prefix that stands for a place."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from nightlatch.domain.errors import Invalid

IPV4_PREFIX = 24
IPV6_PREFIX = 48
"""A home or office usually keeps its /24 or its /48 while single addresses change."""


@lru_cache(maxsize=1024)
def address_of(ip: str, pointer: str = "/context/ip") -> str:
    """The address in its one spelling, IPv4 never dressed as IPv6. Raises ``Invalid``."""
    return str(_read(ip, pointer))


@lru_cache(maxsize=1024)  # a request asks twice: when it is read, and when it is remembered
def network_of(ip: str, pointer: str = "/context/ip") -> str:
    """The network prefix of an address, such as ``192.0.2.0/24``. Raises ``Invalid``."""
    address = _read(ip, pointer)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address).rpartition(".")[0] + f".0/{IPV4_PREFIX}"  # as str(ip_network(…)) has it, at a fifth
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def _read(ip: str, pointer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if "%" in ip:
        # A zone may be any text at all, and says something to one machine only.
        raise Invalid.field(pointer, "invalid_ip", "An address with a zone names no place.")
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        raise Invalid.field(pointer, "invalid_ip", "Not an IP address; send the person's own address.") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
