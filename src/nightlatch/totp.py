"""Time-based one-time passwords for programs that keep their own state (RFC 6238).

    >>> secret = generate_secret()
    >>> len(secret)
    32
    >>> uri = provisioning_uri(secret, issuer="Example Bank", account="maya")
    >>> svg = qr(uri)
    >>> step = match(secret, code_at(secret), last_step=-1)

Keep the step that ``match`` returns and pass it the next time, by compare-and-set: that is what
makes a code work once. The pure functions with the clock as an argument are in
``nightlatch.domain.factors.totp``.
"""

from __future__ import annotations

from nightlatch.adapters.system import SystemClock, SystemEntropy
from nightlatch.domain.factors import qr as pictures
from nightlatch.domain.factors import totp as pure
from nightlatch.domain.factors.base import CodeRejected, Replayed, WrongCode
from nightlatch.domain.factors.seed import SECRET_BYTES
from nightlatch.domain.factors.totp import DEFAULT, InvalidSecret, TotpParameters, provisioning_uri
from nightlatch.domain.time import SECOND

__all__ = [
    "DEFAULT",
    "CodeRejected",
    "InvalidSecret",
    "Replayed",
    "TotpParameters",
    "WrongCode",
    "code_at",
    "generate_secret",
    "match",
    "provisioning_uri",
    "qr",
    "qr_png",
]


def generate_secret() -> str:
    """A new secret of 160 bits from the system's secure source, in unpadded Base32 (RFC 4226 §4 R6)."""
    return pure.secret_from(SystemEntropy().bytes(SECRET_BYTES))


def code_at(secret: str, at: float | None = None, params: TotpParameters = DEFAULT) -> str:
    """The code at a time in seconds since the epoch, or now. Raises ``InvalidSecret``."""
    return pure.code_at(pure.decode_secret(secret), _instant(at), params)


def match(
    secret: str,
    code: str,
    at: float | None = None,
    *,
    last_step: int,
    window: int = pure.WINDOW,
    params: TotpParameters = DEFAULT,
) -> int:
    """Judge a code at a time in seconds since the epoch, or now; the answer is the step to keep.

    ``last_step`` is the step kept before, -1 at first. Raises ``Replayed`` for a code whose step is not
    after it, ``WrongCode`` for one that is none of the window's, ``InvalidSecret``.
    """
    return pure.match(pure.decode_secret(secret), code, _instant(at), last_step=last_step, window=window, params=params)


def qr(uri: str) -> str:
    """A picture of an address as SVG, safe to put into a page."""
    return pictures.svg(uri)


def qr_png(uri: str) -> bytes:
    """The same picture as PNG."""
    return pictures.png(uri)


def _instant(at: float | None) -> int:
    return SystemClock().now() if at is None else int(at * SECOND)
