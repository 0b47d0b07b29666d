"""What may be registered of an application."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from nightlatch.app.context import SCOPES
from nightlatch.domain import naming
from nightlatch.domain.fields import BadField, Problems
from nightlatch.domain.policy.problems import nearest

MOST_RETURN_URLS = 32
LONGEST_URL = 2000


def checked_registration(
    name: str, scopes: list[str], return_urls: list[str]
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Name, scopes and addresses. Raises ``Invalid`` with every bad field."""
    problems = Problems()
    label = problems.take("/name", naming.label, name, "")
    kept = problems.each("/scopes", scope, scopes, len(SCOPES))
    urls = problems.each("/return_urls", return_url, return_urls, MOST_RETURN_URLS)
    if not scopes:
        problems.add("/scopes", "empty", "A key without a scope opens nothing.")
    problems.refuse()
    return label, kept, urls


def scope(text: str) -> str:
    """A scope that there is. Raises ``BadField`` with the nearest."""
    if text not in SCOPES:
        raise BadField("unknown_scope", f"One of {', '.join(SCOPES)}.", nearest(text, SCOPES))
    return text


def return_url(text: str) -> str:
    """An address that the hosted prompt may return to, kept exactly as written, since it is compared exactly (X5).

    Absolute, https, or http on this machine; without a fragment, since ours is a query, and without user and password.
    Raises ``BadField``.
    """
    if len(text) > LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise BadField("invalid_url", "Write the address in printable ASCII, at most 2000 characters.")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadField("invalid_url", "This is no address.") from None
    if not host or parts.scheme not in ("https", "http"):
        raise BadField("invalid_url", "Write the whole address, such as https://app.example.org/signed-in.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise BadField("not_https", "Only https is returned to, or http on localhost.", "https" + text[4:])
    if "#" in text:
        raise BadField("fragment", "The address must have no fragment (#…).", text.partition("#")[0])
    if parts.username is not None or parts.password is not None:
        raise BadField("credentials", "The address must hold no user name or password.")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
