"""Other people's programs make the same codes: oathtool (OATH Toolkit, in C) and pyotp."""

from __future__ import annotations

import base64
import hashlib
import subprocess

import pyotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightlatch.domain.factors import hotp, totp
from nightlatch.domain.factors.parameters import Algorithm
from nightlatch.domain.factors.seed import encode_secret
from nightlatch.domain.time import SECOND

SECRETS = st.binary(min_size=16, max_size=128)
ALGORITHMS: st.SearchStrategy[Algorithm] = st.sampled_from(["SHA1", "SHA256", "SHA512"])
DIGITS = st.sampled_from([6, 7, 8])
PERIODS = st.integers(1, 120)
# From the second step on: pyotp refuses to look at a step before the first.
SECONDS = st.integers(120, 2_000_000_000) | st.integers(2**32 * 30, 2**32 * 30 + 10**9)
HASHES = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}


def oathtool(*arguments: str) -> str:
    """What oathtool prints."""
    done = subprocess.run(["oathtool", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.requirement("T3", "T7")
@settings(max_examples=150, deadline=None)
@given(SECRETS, SECONDS, ALGORITHMS, DIGITS, PERIODS)
def test_oathtool_makes_the_same_time_based_codes(
    secret: bytes, seconds: int, algorithm: Algorithm, digits: int, period: int
) -> None:
    """For any secret, time, algorithm, length and period, beyond 32-bit steps too."""
    params = totp.TotpParameters(algorithm, digits, period)  # type: ignore[arg-type]
    theirs = oathtool(
        f"--totp={algorithm.lower()}",
        "-d",
        str(digits),
        "-s",
        f"{period}s",
        "-N",
        f"@{seconds}",
        "-b",
        encode_secret(secret),
    )
    assert totp.code_at(secret, seconds * SECOND, params) == theirs


@pytest.mark.requirement("T2")
@settings(max_examples=100, deadline=None)
@given(SECRETS, st.integers(0, 2**63 - 1), DIGITS)
def test_oathtool_makes_the_same_counter_based_codes(secret: bytes, counter: int, digits: int) -> None:
    """For any secret, counter and length."""
    theirs = oathtool("--hotp", "-c", str(counter), "-d", str(digits), "-b", encode_secret(secret))
    assert hotp.code_at(secret, counter, digits) == theirs


@pytest.mark.requirement("T3", "T7")
@settings(max_examples=500, deadline=None)
@given(SECRETS, SECONDS, ALGORITHMS, DIGITS, PERIODS)
def test_pyotp_makes_the_same_codes(
    secret: bytes, seconds: int, algorithm: Algorithm, digits: int, period: int
) -> None:
    """And each side accepts the other's, in the same window."""
    params = totp.TotpParameters(algorithm, digits, period)  # type: ignore[arg-type]
    text = base64.b32encode(secret).decode()
    theirs = pyotp.TOTP(text, digits=digits, digest=HASHES[algorithm], interval=period)
    code = totp.code_at(secret, seconds * SECOND, params)
    assert theirs.at(seconds) == code
    assert theirs.verify(code, for_time=seconds, valid_window=1)
    assert totp.match(secret, code, seconds * SECOND, last_step=-1, params=params) >= seconds // period


@settings(max_examples=200, deadline=None)
@given(SECRETS, st.integers(0, 2**40), st.integers(-3, 3), DIGITS)
def test_an_address_means_the_same_to_pyotp(secret: bytes, counter: int, offset: int, digits: int) -> None:
    """What we build, pyotp parses into a generator of the same codes."""
    params = totp.TotpParameters(digits=digits)  # type: ignore[arg-type]
    uri = totp.provisioning_uri(secret, issuer="Bücher & Söhne", account="maya+1@example.com", params=params)
    theirs = pyotp.parse_uri(uri)
    assert isinstance(theirs, pyotp.TOTP)
    assert (theirs.issuer, theirs.name) == ("Bücher & Söhne", "maya+1@example.com")
    assert theirs.generate_otp(counter) == hotp.code_at(secret, counter, digits)
