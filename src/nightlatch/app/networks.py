"""Where a request comes from: the address, and the network prefix that stands for a place."""

from __future__ import annotations

import ipaddress

from nightlatch.domain.errors import Invalid

IPV4_PREFIX = 24
IPV6_PREFIX = 48
"""A home or office usually keeps its /24 or its /48 while single addresses change."""


def network_of(ip: str, pointer: str = "/context/ip") -> str:
    """The network prefix of an address, such as ``192.0.2.0/24``. Raises ``Invalid``."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        raise Invalid.field(pointer, "invalid_ip", "Not an IP address; send the person's own address.") from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if getattr(address, "scope_id", None):
        raise Invalid.field(pointer, "invalid_ip", "An address with a zone names no place.")
    prefix = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX
    return str(ipaddress.ip_network((address, prefix), strict=False))
