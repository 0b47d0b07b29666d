"""Every address that is built is read back as it was, and every text is read or refused."""

from __future__ import annotations

import contextlib
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightlatch.domain.factors.otpauth import InvalidUri, OtpauthUri, build, parse

FORBIDDEN = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069:"
NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters=FORBIDDEN), max_size=40
).map(str.strip)
URIS = st.builds(
    OtpauthUri,
    kind=st.just("totp"),
    issuer=NAMES,
    account=NAMES.filter(bool),
    secret=st.binary(min_size=16, max_size=64),
    algorithm=st.sampled_from(["SHA1", "SHA256", "SHA512"]),
    digits=st.sampled_from([6, 7, 8]),
    period=st.integers(1, 120),
) | st.builds(
    OtpauthUri,
    kind=st.just("hotp"),
    issuer=NAMES,
    account=NAMES.filter(bool),
    secret=st.binary(min_size=16, max_size=64),
    algorithm=st.sampled_from(["SHA1", "SHA256", "SHA512"]),
    digits=st.sampled_from([6, 7, 8]),
    counter=st.integers(0, 2**63 - 1),
)


@pytest.mark.requirement("T11")
@given(URIS)
def test_an_address_survives_the_way_there_and_back(uri: OtpauthUri) -> None:
    """Names of all scripts, secrets and parameters; the text is plain ASCII without padding."""
    text = build(uri)
    assert parse(text) == uri
    assert text.isascii()
    assert "=" not in text.partition("secret=")[2].partition("&")[0]
    label = text.partition("?")[0].rpartition("/")[2]
    assert label.count(":") == (1 if uri.issuer else 0)


@given(st.text(max_size=100) | st.text(max_size=100).map("otpauth://totp/".__add__))
@example("otpauth://totp/A:b?secret=%F0%9F%8F%A6")
@example("otpauth://totp//?")
@example("otpauth://totp/%")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but ``InvalidUri`` comes out, and what is read can be written again."""
    with contextlib.suppress(InvalidUri):
        uri = parse(text)
        assert parse(build(uri)) == uri


@given(st.text(max_size=30))
def test_a_name_is_accepted_as_it_is_or_refused(name: str) -> None:
    """Names are never trimmed or changed, and no control character gets in."""
    with contextlib.suppress(InvalidUri):
        uri = OtpauthUri(kind="totp", issuer=name, account="m", secret=bytes(20))
        assert parse(build(uri)).issuer == name
        assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in name)
