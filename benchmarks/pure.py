"""A TOTP check by itself, beside pyotp's: same codes, same instants, same window of one step on each side."""

from __future__ import annotations

import time
from collections.abc import Callable

import pyotp

from benchmarks.people import PERIOD, code_of
from benchmarks.report import Report
from nightlatch.domain.factors import totp

CHECKS = 20_000
ROUNDS = 5
SECRETS = 200
NOW = 1_766_000_015


def measure(report: Report) -> None:
    """Both in turn, the best round of each counts: what disturbs a round only ever slows it."""
    secrets = [bytes((number, 7)) * 10 for number in range(SECRETS)]
    ours, theirs = _ours(secrets), _theirs(secrets)
    best = [min(_seconds(check) for _ in range(ROUNDS)) for check in (ours, theirs)]
    report.tell("TOTP check, Nightlatch", f"{best[0] / CHECKS * 1e6:.1f} µs")
    report.tell("TOTP check, pyotp", f"{best[1] / CHECKS * 1e6:.1f} µs")
    report.at_least("TOTP check against pyotp's verify", best[1] / best[0], 1)


def _ours(secrets: list[bytes]) -> Callable[[], None]:
    cases = [(secret, code_of(secret, NOW // PERIOD)) for secret in secrets]

    def check() -> None:
        for secret, code in cases:
            totp.match(secret, code, NOW * 1_000_000, last_step=-1)

    return check


def _theirs(secrets: list[bytes]) -> Callable[[], None]:
    cases = [(totp.encode_secret(secret), code_of(secret, NOW // PERIOD)) for secret in secrets]

    def check() -> None:
        for secret, code in cases:
            if not pyotp.TOTP(secret).verify(code, for_time=NOW, valid_window=1):
                raise ValueError("pyotp refuses a right code")

    return check


def _seconds(check: Callable[[], None]) -> float:
    began = time.process_time()
    for _ in range(CHECKS // SECRETS):
        check()
    return time.process_time() - began
