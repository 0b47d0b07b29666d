"""Bearer secrets, short-lived codes and the MAC over rows."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlatch.domain.crypto.codes import code_mac, code_matches, numeric_code
from nightlatch.domain.crypto.mac import FactorRow, MacBroken, check_row, row_mac
from nightlatch.domain.crypto.tokens import api_key, hash_token, is_api_key, same_token, ticket_token

ENTROPY = bytes(range(32))
KEY = bytes(range(32))
ROW = FactorRow("usr_1", "fac_1", "webauthn", b"public key", "active")
CONTEXT = ("atn_1", "fac_1")


@pytest.mark.requirement("K4")
@given(st.binary(min_size=32, max_size=32))
def test_an_api_key_has_a_fixed_form(entropy: bytes) -> None:
    """Prefix, 43 digits for 256 bits, six for the checksum, leading zeros kept."""
    key = api_key(entropy)
    assert re.fullmatch(r"nlk_[0-9A-Za-z]{49}", key)
    assert is_api_key(key)


@pytest.mark.requirement("K4")
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_an_api_key_holds_all_of_its_entropy(one: bytes, two: bytes) -> None:
    """Different bytes make different keys, the least and the greatest value too."""
    assert (api_key(one) == api_key(two)) is (one == two)
    assert len(api_key(bytes(32))) == len(api_key(b"\xff" * 32))


def test_a_mistyped_api_key_is_refused_without_a_look_up() -> None:
    """Any one character changed, and any two neighbours exchanged, break the checksum."""
    key = api_key(ENTROPY)
    for position in range(len(key)):
        for other in "0Az":
            if other != key[position]:
                assert not is_api_key(key[:position] + other + key[position + 1 :])
    for position in range(4, len(key) - 1):
        swapped = key[:position] + key[position + 1] + key[position] + key[position + 2 :]
        assert swapped == key or not is_api_key(swapped)


@pytest.mark.parametrize(
    "text",
    ["", "nlk_", "nlk_" + "0" * 48, "nlk_" + "0" * 50, "nlk_" + "é" * 49, "NLK_" + "0" * 49, "0" * 53, "\ud800" * 53],
)
def test_other_texts_are_no_api_keys(text: str) -> None:
    """Length, prefix and alphabet are looked at before anything is computed."""
    assert not is_api_key(text)


@pytest.mark.requirement("K4")
def test_a_ticket_has_256_bits_and_is_safe_in_an_address() -> None:
    """43 characters of base64url."""
    assert re.fullmatch(r"[0-9A-Za-z_-]{43}", ticket_token(ENTROPY))
    assert ticket_token(ENTROPY) != ticket_token(ENTROPY[::-1])


@pytest.mark.requirement("K4")
@pytest.mark.parametrize("entropy", [b"", bytes(16), bytes(31), bytes(33)])
def test_less_entropy_makes_no_token(entropy: bytes) -> None:
    """A source that gives too little is an error, not a weak token."""
    for make in (api_key, ticket_token):
        with pytest.raises(ValueError, match="32 random bytes"):
            make(entropy)


def test_a_token_is_stored_as_its_sha256() -> None:
    """32 bytes, compared in constant time."""
    assert hash_token("abc") == hashlib.sha256(b"abc").digest()
    assert same_token(hash_token("abc"), "abc")
    assert not same_token(hash_token("abc"), "abd")
    assert not same_token(b"", "abc")


@given(st.text())
def test_any_text_can_be_looked_up(text: str) -> None:
    """Nonsense finds nothing; it does not fail."""
    assert len(hash_token(text)) == 32


def test_a_lone_surrogate_can_be_looked_up() -> None:
    """JSON can carry one, and it has no UTF-8."""
    assert len(hash_token("\ud800")) == 32


@given(st.binary(min_size=16, max_size=16), st.integers(6, 10))
def test_a_numeric_code_has_its_digits(entropy: bytes, digits: int) -> None:
    """Leading zeros are kept."""
    assert re.fullmatch(rf"[0-9]{{{digits}}}", numeric_code(entropy, digits))


def test_less_entropy_or_fewer_digits_make_no_code() -> None:
    """Sixteen bytes and six digits are the least."""
    with pytest.raises(ValueError, match="random bytes"):
        numeric_code(bytes(4))
    with pytest.raises(ValueError, match="digits"):
        numeric_code(bytes(16), 5)


def test_a_code_matches_in_its_own_context_alone() -> None:
    """Another code, purpose, authentication, order or key is refused."""
    stored = code_mac(KEY, "482913", purpose="sms", context=CONTEXT)
    assert code_matches(KEY, "482913", stored, purpose="sms", context=CONTEXT)
    assert not code_matches(KEY, "482914", stored, purpose="sms", context=CONTEXT)
    assert not code_matches(KEY, "482913", stored, purpose="mail", context=CONTEXT)
    assert not code_matches(KEY, "482913", stored, purpose="sms", context=("atn_2", "fac_1"))
    assert not code_matches(KEY, "482913", stored, purpose="sms", context=CONTEXT[::-1])
    assert not code_matches(KEY, "482913", stored, purpose="sms", context=("atn_1fac_1",))
    assert not code_matches(bytes(32), "482913", stored, purpose="sms", context=CONTEXT)
    assert not code_matches(KEY, "482913", b"", purpose="sms", context=CONTEXT)


@pytest.mark.requirement("K1")
@pytest.mark.parametrize(
    "changed",
    [
        ROW._replace(user="usr_2"),
        ROW._replace(factor="fac_2"),
        ROW._replace(kind="push"),
        ROW._replace(public_key=b"another key"),
        ROW._replace(status="pending"),
        FactorRow("usr_1fac_1", "", "webauthn", b"public key", "active"),
    ],
)
def test_a_row_with_a_public_key_cannot_be_changed(changed: FactorRow) -> None:
    """User, factor, kind, key and status are all under the MAC."""
    stored = row_mac(KEY, ROW)
    check_row(KEY, ROW, stored)
    with pytest.raises(MacBroken):
        check_row(KEY, changed, stored)


def test_a_row_of_another_key_or_without_a_mac_is_broken() -> None:
    """An empty MAC, or one under another key, is none."""
    for stored in (b"", row_mac(bytes(32), ROW), row_mac(KEY, ROW)[:-1]):
        with pytest.raises(MacBroken):
            check_row(KEY, ROW, stored)


def test_short_keys_authenticate_nothing() -> None:
    """HMAC takes any key; we do not."""
    with pytest.raises(ValueError, match="32 bytes"):
        row_mac(bytes(31), ROW)
    with pytest.raises(ValueError, match="32 bytes"):
        code_mac(b"", "482913", purpose="sms", context=CONTEXT)
