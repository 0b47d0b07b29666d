"""What every answer says about itself (X3, X4): where nothing else was said, the strictest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nightlatch.web.common.problems import Headers
from nightlatch.web.settings import WebSettings

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
HSTS = "max-age=31536000; includeSubDomains"

CONTENT_SECURITY_POLICY = "content-security-policy"


def content_security_policy(*, form_action: Sequence[str] = (), images: Sequence[str] = ()) -> str:
    """The policy of a page: everything from ourselves, nothing inline, never framed.

    ``form_action`` adds origins that a form's answer may redirect to (browsers check redirects
    too); ``images`` adds origins of a brand's logo. QR pictures are ``data:`` images.
    """
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("img-src 'self' data:", *images)),
            " ".join(("form-action 'self'", *form_action)),
            "base-uri 'none'",
            "object-src 'none'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """The headers that an answer gets unless it brought its own."""

    def __init__(self, settings: WebSettings) -> None:
        said = {
            "cache-control": "no-store",
            CONTENT_SECURITY_POLICY: API_POLICY,
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
        }
        if settings.secure:
            said["strict-transport-security"] = HSTS
        self._said: Headers = [(name.encode(), value.encode()) for name, value in said.items()]

    def completed(self, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The answer's own headers, then ours that it did not bring."""
        own = list(headers)
        names = {name.lower() for name, _ in own}
        return own + [header for header in self._said if header[0] not in names]
