"""Time-based one-time passwords: RFC 6238.

    >>> secret = secret_from(bytes(range(20)))
    >>> now = 1_766_000_000 * 1_000_000
    >>> code = code_at(decode_secret(secret), now)
    >>> step = match(decode_secret(secret), code, now, last_step=-1)

Store the step that ``match`` returns, atomically, and pass it as ``last_step`` next time: that is what makes a code
work once.
"""

from __future__ import annotations

import hmac

from nightlatch.domain.factors.base import Replayed, WrongCode
from nightlatch.domain.factors.hotp import truncated, typed_value
from nightlatch.domain.factors.otpauth import OtpauthUri, build
from nightlatch.domain.factors.parameters import DEFAULT, MAX_PERIOD, PERIOD, TotpParameters
from nightlatch.domain.factors.seed import InvalidSecret, decode_secret, encode_secret, secret_from
from nightlatch.domain.time import SECOND

__all__ = [
    "DEFAULT",
    "MAX_PERIOD",
    "MAX_WINDOW",
    "PERIOD",
    "WINDOW",
    "InvalidSecret",
    "TotpParameters",
    "code_at",
    "decode_secret",
    "encode_secret",
    "match",
    "provisioning_uri",
    "remaining",
    "secret_from",
    "step_at",
]

WINDOW = 1
"""Steps accepted on each side of the present one, for clocks that drift (RFC 6238 §5.2: at most one)."""

MAX_WINDOW = 10
"""The widest window that a caller may ask for; each step in it is one more code that a guess can hit."""


def step_at(now: int, params: TotpParameters = DEFAULT) -> int:
    """The time step that an instant (µs since the epoch) lies in: T of RFC 6238 §4.2, with T0 = 0."""
    return now // (params.period * SECOND)


def remaining(now: int, params: TotpParameters = DEFAULT) -> int:
    """How long the present code still lasts, in µs."""
    length = params.period * SECOND
    return length - now % length


def code_at(secret: bytes, now: int, params: TotpParameters = DEFAULT) -> str:
    """The code at an instant (µs since the epoch), with leading zeros."""
    value = truncated(secret, (step_at(now, params),), params.digits, params.algorithm)[0]
    return f"{value:0{params.digits}d}"


def match(
    secret: bytes, code: str, now: int, *, last_step: int, window: int = WINDOW, params: TotpParameters = DEFAULT
) -> int:
    """Judge a code at an instant (µs since the epoch); the answer is the step to store as the next ``last_step``.

    ``last_step`` is the last accepted step, -1 before the first. Raises ``Replayed`` when the code belongs to that
    step or an earlier one, ``WrongCode`` when it belongs to none in the window (RFC 6238 §5.2), and ``ValueError``
    for a window that is refused.
    """
    if not 0 <= window <= MAX_WINDOW:
        raise ValueError(f"window must be 0 to {MAX_WINDOW} steps")
    typed = typed_value(code, params.digits)
    if typed is None:
        raise WrongCode
    present = step_at(now, params)
    steps = range(max(present - window, 0), present + window + 1)
    found = -1
    # Every step is computed and compared, so that time tells nothing about where a match lies. The latest match counts:
    # should two steps share a code, accepting the earlier would leave the same digits good for the later.
    for step, value in zip(steps, truncated(secret, steps, params.digits, params.algorithm), strict=True):
        if hmac.compare_digest(value.to_bytes(4, "big"), typed):
            found = step
    if found < 0:
        raise WrongCode
    if found <= last_step:
        raise Replayed
    return found


def provisioning_uri(secret: str | bytes, *, issuer: str, account: str, params: TotpParameters = DEFAULT) -> str:
    """The ``otpauth://`` address that an app scans. ``secret`` is Base32, or its bytes.

    Raises ``InvalidSecret``, and ``InvalidUri`` for an issuer or account that an app could misread.
    """
    return build(
        OtpauthUri(
            kind="totp",
            issuer=issuer,
            account=account,
            secret=decode_secret(secret) if isinstance(secret, str) else secret,
            algorithm=params.algorithm,
            digits=params.digits,
            period=params.period,
        )
    )
