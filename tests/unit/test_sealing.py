"""A sealed value opens where it was sealed, as it was sealed, and nowhere else."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlatch.domain.crypto.fields import encode_fields
from nightlatch.domain.crypto.sealing import Place, SealBroken, UnknownKey, key_id_of, open_, seal
from nightlatch.domain.crypto.wrapping import unwrap, wrap

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
NONCE = bytes(12)
PLACE = Place("factors", "fac_1", "usr_1", "sealed")
SECRET = b"the seed of a factor"
BLOB = seal(KEY, "key_1", SECRET, aad=PLACE, nonce=NONCE)


@pytest.mark.requirement("K1")
def test_a_sealed_value_opens_at_its_place_and_does_not_show_what_it_is() -> None:
    """With the right key and place the secret comes back; without, there is no trace of it."""
    assert open_({"key_1": KEY, "key_2": OTHER}, BLOB, PLACE) == SECRET
    assert SECRET not in BLOB
    assert key_id_of(BLOB) == "key_1"


@pytest.mark.requirement("K1")
@pytest.mark.parametrize(
    "place",
    [
        PLACE._replace(table="users"),
        PLACE._replace(row="fac_2"),
        PLACE._replace(user="usr_2"),
        PLACE._replace(column="public"),
        Place("factors", "fac_1usr_1", "", "sealed"),
        Place("factors", "fac_", "1usr_1", "sealed"),
        Place("factorsfac_1", "", "usr_1", "sealed"),
        Place("", "", "", ""),
    ],
)
def test_a_value_that_was_moved_does_not_open(place: Place) -> None:
    """Table, row, user and column are each part of the seal, and the borders between them too."""
    with pytest.raises(SealBroken):
        open_({"key_1": KEY}, BLOB, place)


@pytest.mark.requirement("K1")
def test_a_value_with_any_bit_flipped_does_not_open() -> None:
    """Version, key id, nonce, ciphertext and tag are all authenticated, bit by bit."""
    for position, bit in itertools.product(range(len(BLOB)), range(8)):
        changed = bytearray(BLOB)
        changed[position] ^= 1 << bit
        with pytest.raises(SealBroken):
            open_({"key_1": KEY}, bytes(changed), PLACE)


@pytest.mark.requirement("K1")
def test_a_value_that_was_cut_or_lengthened_does_not_open() -> None:
    """Nothing shorter or longer passes."""
    for length in range(len(BLOB)):
        with pytest.raises(SealBroken):
            open_({"key_1": KEY}, BLOB[:length], PLACE)
    with pytest.raises(SealBroken):
        open_({"key_1": KEY}, BLOB + b"\0", PLACE)


@pytest.mark.requirement("K1")
def test_a_value_under_another_key_does_not_open() -> None:
    """Nor does one whose key id was exchanged for another that is kept."""
    with pytest.raises(SealBroken):
        open_({"key_1": OTHER}, BLOB, PLACE)
    renamed = BLOB.replace(b"key_1", b"key_2")
    with pytest.raises(SealBroken):
        open_({"key_1": KEY, "key_2": KEY}, renamed, PLACE)


def test_an_unknown_key_is_named() -> None:
    """So that the ring can be read again, once."""
    with pytest.raises(UnknownKey) as unknown:
        open_({"key_2": KEY}, BLOB, PLACE)
    assert unknown.value.key_id == "key_1"


@given(st.binary(max_size=100))
def test_nonsense_never_opens(blob: bytes) -> None:
    """Whatever the bytes, the answer is ``SealBroken``."""
    with pytest.raises(SealBroken):
        open_({"key_1": KEY}, blob, PLACE)


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(24), bytes(31), bytes(33)])
def test_only_keys_of_256_bits_seal(key: bytes) -> None:
    """AES-128 would work too, unnoticed: a short key is an error."""
    with pytest.raises(ValueError, match="key"):
        seal(key, "key_1", SECRET, aad=PLACE, nonce=NONCE)


@pytest.mark.parametrize("nonce", [b"", bytes(8), bytes(11), bytes(13), bytes(16)])
def test_only_nonces_of_96_bits_seal(nonce: bytes) -> None:
    """Other lengths are hashed by GCM and collide sooner."""
    with pytest.raises(ValueError, match="nonce"):
        seal(KEY, "key_1", SECRET, aad=PLACE, nonce=nonce)


@pytest.mark.parametrize("key_id", ["", "k" * 256, "schlüssel"])
def test_only_key_ids_that_fit_the_header_seal(key_id: str) -> None:
    """One byte tells the length, and ids are ASCII."""
    with pytest.raises(ValueError, match=r"key id|ascii"):
        seal(KEY, key_id, SECRET, aad=PLACE, nonce=NONCE)


@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=20), st.binary(min_size=12, max_size=12))
def test_every_value_comes_back(plaintext: bytes, row: str, user: str, nonce: bytes) -> None:
    """At any place, with any nonce, of any length, empty too."""
    place = Place("t", row, user, "c")
    assert open_({"k": KEY}, seal(KEY, "k", plaintext, aad=place, nonce=nonce), place) == plaintext


@given(
    st.lists(st.text(max_size=6) | st.binary(max_size=6), max_size=5),
    st.lists(st.text(max_size=6) | st.binary(max_size=6), max_size=5),
)
def test_no_two_lists_of_fields_are_encoded_alike(one: list[str | bytes], two: list[str | bytes]) -> None:
    """The encoding is injective, up to text being its UTF-8."""
    plain = [[f.encode() if isinstance(f, str) else f for f in fields] for fields in (one, two)]
    assert (encode_fields("p", *one) == encode_fields("p", *two)) is (plain[0] == plain[1])
    assert encode_fields("p", *one) != encode_fields("q", *one)


def test_a_data_key_is_unwrapped_as_itself_alone() -> None:
    """Under its key-encryption key and its own id; another's wrapped key in its row does not pass."""
    wrapped = wrap(KEY, "kek_1", OTHER, key_id="dk_1", nonce=NONCE)
    assert unwrap({"kek_1": KEY}, wrapped, key_id="dk_1") == OTHER
    assert OTHER not in wrapped
    with pytest.raises(SealBroken):
        unwrap({"kek_1": KEY}, wrapped, key_id="dk_2")
    with pytest.raises(SealBroken):
        unwrap({"kek_1": OTHER}, wrapped, key_id="dk_1")
    with pytest.raises(UnknownKey):
        unwrap({}, wrapped, key_id="dk_1")


def test_only_a_data_key_is_wrapped() -> None:
    """Going in and coming out, it has 32 bytes."""
    with pytest.raises(ValueError, match="data key"):
        wrap(KEY, "kek_1", bytes(16), key_id="dk_1", nonce=NONCE)
    short = seal(KEY, "kek_1", bytes(16), aad=Place("data_keys", "dk_1", "", "wrapped"), nonce=NONCE)
    with pytest.raises(SealBroken):
        unwrap({"kek_1": KEY}, short, key_id="dk_1")
