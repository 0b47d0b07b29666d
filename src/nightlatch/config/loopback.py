"""Which addresses are this machine's own, and which are fit to send secrets to."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_LOOPBACK_NAMES = ("localhost",)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine only."""
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unfit(url: str, *, plain: bool = False) -> tuple[str, str | None] | None:
    """Why codes and passwords may not be sent there, and what was meant; ``plain``: http is allowed everywhere."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be https://HOST/…", None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.fragment:
        return "must be https://HOST/…", None
    if parts.scheme == "http" and not plain and not is_loopback(host):
        return "must be https except on loopback", url.replace("http:", "https:", 1)
    return None
