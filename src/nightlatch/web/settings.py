"""What the web layer is told at its start."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from nightlatch.domain.brand import Brand

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

BODY_LIMIT = 64 * 1024
"""Bytes of a request body, unless an endpoint says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """``public_url`` has no trailing slash. ``trusted_proxies`` are the peers whose forwarded
    address counts (X8). Without a ``metrics_token`` nobody reads ``/metrics``. ``demo`` marks a
    server that carries the demo's routes (X6).
    """

    public_url: str
    trusted_proxies: tuple[IPNetwork, ...] = ()
    metrics_token: str | None = field(default=None, repr=False)
    brand: Brand = field(default_factory=Brand)
    demo: bool = False
    body_limit: int = BODY_LIMIT

    @property
    def secure(self) -> bool:
        """Whether people reach us by https (X1); only then can cookies be ``__Host-``."""
        return self.public_url.startswith("https://")
