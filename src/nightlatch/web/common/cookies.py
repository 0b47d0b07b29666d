"""Cookies that only we can set and only over https (X2)."""

from __future__ import annotations

from litestar.types import Scope

from nightlatch.web.settings import WebSettings

HOST_PREFIX = "__Host-"


class Cookies:
    """Names, writes and reads our cookies.

    The prefix ``__Host-`` keeps other hosts of the same domain from setting them; browsers honor
    it over https alone, so on loopback (the only place for http, X1) the name stands bare.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._secure = settings.secure

    def name(self, name: str) -> str:
        """The name as the browser knows it."""
        return HOST_PREFIX + name if self._secure else name

    def set(self, name: str, value: str, *, max_age: int | None = None, same_site: str = "Lax") -> str:
        """The value of a ``Set-Cookie`` header; ``max_age`` in seconds, None: with the browser."""
        parts = [f"{self.name(name)}={value}", "Path=/", "HttpOnly", f"SameSite={same_site}"]
        if max_age is not None:
            parts.append(f"Max-Age={max_age}")
        if self._secure:
            parts.append("Secure")
        return "; ".join(parts)

    def clear(self, name: str) -> str:
        """The value of a ``Set-Cookie`` header that removes the cookie."""
        return self.set(name, "", max_age=0)

    def read(self, scope: Scope, name: str) -> str | None:
        """The cookie's value. One that comes twice is somebody's trick and counts as absent."""
        wanted = self.name(name)
        found = [
            value
            for header, raw in scope["headers"]
            if header == b"cookie"
            for key, _, value in (pair.strip().partition("=") for pair in raw.decode("latin-1").split(";"))
            if key == wanted
        ]
        return found[0] if len(found) == 1 else None
