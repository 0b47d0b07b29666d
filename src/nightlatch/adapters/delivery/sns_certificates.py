"""The certificates that messages of Amazon SNS name, fetched from Amazon's own hosts, seldom and one after the other.

Whoever knows the topic's name may make us fetch: a message says where its certificate is before it proves anything. So
what was fetched in vain is not fetched again for a minute, and only so many are in a minute at all.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from nightlatch.ports.delivery import Forged, NotSent

Fetch = Callable[[str], Awaitable[bytes]]
"""Get what stands at an address of Amazon's. Raises ``NotSent``."""

KEPT = 4
"""Certificates kept at hand; one is in use at a time."""

FETCHES = 10
"""In a minute. Who posts others' addresses can delay a new certificate so, not one that signed something before."""

_MINUTE = 60.0
_HOST = re.compile(r"sns\.[a-z0-9-]{3,32}\.amazonaws\.com(\.cn)?")
_PATH = re.compile(r"/SimpleNotificationService-[0-9a-zA-Z]{1,64}\.pem")


class Certificates:
    """``now`` is in seconds, from any beginning."""

    def __init__(self, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._one = asyncio.Lock()
        self._proved: dict[str, rsa.RSAPublicKey] = {}
        self._fetched: dict[str, rsa.RSAPublicKey] = {}
        self._in_vain: dict[str, float] = {}
        self._asked: list[float] = []

    async def key(self, url: str) -> rsa.RSAPublicKey:
        """The key of the certificate there, which is valid. Raises ``Forged``."""
        if not is_amazons(url) or not _PATH.fullmatch(url.partition(urlsplit(url).netloc)[2]):
            raise Forged("SigningCertURL is not at Amazon's")
        if (known := self._known(url)) is not None:
            return known
        async with self._one:
            # Who waited may find what the one before fetched.
            if (known := self._known(url)) is not None:
                return known
            return await self._new(url)

    def proved(self, url: str) -> None:
        """What this one signed is genuine: it stays when strangers have others fetched."""
        if (key := self._fetched.pop(url, None)) is not None:
            _put(self._proved, url, key)

    def _known(self, url: str) -> rsa.RSAPublicKey | None:
        return self._proved.get(url) or self._fetched.get(url)

    async def _new(self, url: str) -> rsa.RSAPublicKey:
        now = self._now()
        self._in_vain = {at: when for at, when in self._in_vain.items() if now - when < _MINUTE}
        self._asked = [when for when in self._asked if now - when < _MINUTE]
        if url in self._in_vain:
            raise Forged("the certificate could not be fetched a moment ago")
        if len(self._asked) >= FETCHES:
            raise Forged("too many certificates were named in this minute")
        self._asked.append(now)
        try:
            key = _public_key(await self._fetch(url))
        except NotSent as error:
            self._in_vain[url] = now
            raise Forged(f"the certificate could not be fetched ({error.reason})") from None
        except Forged:
            self._in_vain[url] = now
            raise
        _put(self._fetched, url, key)
        return key


def is_amazons(url: str) -> bool:
    """https, one of the hosts of SNS, and nothing clever."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and _HOST.fullmatch(parts.netloc) is not None


def _put(keys: dict[str, rsa.RSAPublicKey], url: str, key: rsa.RSAPublicKey) -> None:
    while len(keys) >= KEPT:
        del keys[next(iter(keys))]
    keys[url] = key


def _public_key(pem: bytes) -> rsa.RSAPublicKey:
    """The key of a certificate that is valid today; who it is of, the host that it came from says."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise Forged("the certificate cannot be read") from None
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise Forged("the certificate is not valid today")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Forged("the certificate has another kind of key")
    return key
