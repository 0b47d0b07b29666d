"""Secrets as people paste them."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlatch.domain.factors.seed import InvalidSecret, decode_secret, encode_secret, secret_from

SECRET = bytes(range(20))
TEXT = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT"


@pytest.mark.requirement("T1")
def test_twenty_random_bytes_make_a_secret_of_160_bits() -> None:
    """A new secret is 32 characters of Base32 without padding, and holds all the bytes."""
    assert secret_from(SECRET) == TEXT
    assert decode_secret(TEXT) == SECRET


@pytest.mark.requirement("T1")
@pytest.mark.parametrize("length", [0, 10, 16, 19])
def test_less_entropy_than_160_bits_makes_no_secret(length: int) -> None:
    """What we make is never shorter than RFC 4226 recommends."""
    with pytest.raises(InvalidSecret) as refused:
        secret_from(bytes(length))
    assert refused.value.code == "too_short"


@pytest.mark.requirement("T1")
@pytest.mark.parametrize("length", [0, 1, 10, 15])
def test_a_secret_under_16_bytes_is_refused(length: int) -> None:
    """An imported secret has at least 128 bits."""
    with pytest.raises(InvalidSecret) as refused:
        decode_secret(base64.b32encode(bytes(length)).decode())
    assert refused.value.code == "too_short"
    with pytest.raises(InvalidSecret):
        encode_secret(bytes(length))


def test_a_secret_of_16_bytes_is_accepted() -> None:
    """128 bits are the least, and enough."""
    assert decode_secret(base64.b32encode(bytes(16)).decode()) == bytes(16)


@pytest.mark.parametrize(
    "text",
    [
        TEXT.lower(),
        " ".join(TEXT[i : i + 4] for i in range(0, 32, 4)),
        "-".join(TEXT[i : i + 8].lower() for i in range(0, 32, 8)),
        f"\t{TEXT}\n",
        TEXT + "======",
    ],
)
def test_case_spaces_hyphens_and_padding_do_not_matter(text: str) -> None:
    """People copy secrets from pages that group them."""
    assert decode_secret(text) == SECRET


@pytest.mark.parametrize(
    "text",
    [
        TEXT[:-1] + "1",
        TEXT[:-1] + "0",
        TEXT[:-1] + "8",
        TEXT[:-1] + "\u0131",
        TEXT + "é",
        TEXT + "=A",
        TEXT + "A",
        TEXT + "\0",
    ],
)
def test_what_is_no_base32_is_refused_without_being_repeated(text: str) -> None:
    """The message says what is wrong and holds no part of the secret."""
    with pytest.raises(InvalidSecret) as refused:
        decode_secret(text)
    assert refused.value.code == "bad_base32"
    assert TEXT[:6] not in str(refused.value)


@pytest.mark.parametrize("text", [base64.b32encode(bytes(129)).decode(), "A" * 10_000_000])
def test_a_secret_without_end_is_refused(text: str) -> None:
    """More than a block of SHA-512 adds nothing, and megabytes are not even looked at."""
    with pytest.raises(InvalidSecret) as refused:
        decode_secret(text)
    assert refused.value.code == "too_long"


@given(st.binary(min_size=16, max_size=128))
def test_every_secret_survives_being_written_and_read(secret: bytes) -> None:
    """Base32 there and back is the same bytes, unpadded."""
    text = encode_secret(secret)
    assert "=" not in text
    assert decode_secret(text) == secret


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but ``InvalidSecret``."""
    with contextlib.suppress(InvalidSecret):
        assert 16 <= len(decode_secret(text)) <= 128
