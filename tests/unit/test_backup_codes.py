"""Backup codes: long, readable, forgiving, and good once."""

from __future__ import annotations

import pytest

from nightlatch.domain.factors import backup_codes
from nightlatch.domain.factors.backup_codes import ALPHABET, ParsedCode
from nightlatch.domain.factors.base import Replayed

ENTROPY = bytes(range(100))
HASHES = [f"hash {row}" for row in range(10)]


@pytest.mark.requirement("L1")
def test_each_code_has_75_random_bits() -> None:
    """Flipping any one of 75 bits of the entropy changes the secret part, and the index symbol never."""
    base = int.from_bytes(bytes(10), "big")
    seen = set()
    for bit in range(80):
        code = backup_codes.generate((base ^ 1 << bit).to_bytes(10, "big"), 1)[0]
        assert code[0] == "0"
        seen.add(code)
    assert len(seen - {backup_codes.generate(bytes(10), 1)[0]}) == backup_codes.SECRET_BITS == 75


@pytest.mark.requirement("L1")
def test_no_symbol_is_taken_for_another() -> None:
    """Of O and 0, of I, L and 1, and of U and V, the alphabet has one, and reads the others as it."""
    assert len(set(ALPHABET)) == 32
    assert not set("OILU") & set(ALPHABET)
    code = "01V0-11VV-0011-ABCD"
    assert backup_codes.normalise("oiuo-lluv-ooil-abcd") == backup_codes.normalise(code)


@pytest.mark.requirement("L1")
def test_a_set_has_ten_codes_each_with_its_own_index() -> None:
    """By default there are ten; the first symbol names the row and is all that a guess must know."""
    codes = backup_codes.generate(ENTROPY)
    assert len(codes) == 10
    parsed = [backup_codes.normalise(code) for code in codes]
    assert [code.index for code in parsed if code] == list(range(10))
    assert len({code.secret for code in parsed if code}) == 10


@pytest.mark.parametrize(("count", "size"), [(0, 0), (33, 330), (-1, 0), (10, 99), (10, 101)])
def test_other_counts_and_amounts_of_entropy_are_refused(count: int, size: int) -> None:
    """One row an index symbol, ten bytes a row."""
    with pytest.raises(ValueError, match="codes"):
        backup_codes.generate(bytes(size), count)


def test_the_largest_set_uses_every_index() -> None:
    """Thirty-two codes."""
    codes = backup_codes.generate(bytes(320), 32)
    assert "".join(code[0] for code in codes) == ALPHABET


def test_a_code_is_shown_in_four_blocks() -> None:
    """Four blocks of four can be read out and typed."""
    for code in backup_codes.generate(ENTROPY):
        assert [len(block) for block in code.split("-")] == [4, 4, 4, 4]


@pytest.mark.parametrize(
    "text",
    [
        "0abcdefghjkmnpqr",
        "0ABC DEFG HJKM NPQR",
        " 0abc-defg hjkm\u2013npqr\n",
        "0ABC—DEFG_HJKM.NPQR",
        "OABCDEFGHJKMNPQR",
    ],
)
def test_case_grouping_and_look_alikes_do_not_matter(text: str) -> None:
    """People type from paper."""
    assert backup_codes.normalise(text) == ParsedCode(0, "ABCDEFGHJKMNPQR")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123456",
        "1234567",
        "12345678",
        "123 456",
        "0ABC-DEFG-HJKM-NPQ",
        "0ABC-DEFG-HJKM-NPQRS",
        "0ABC-DEFG-HJKM-NPQÄ",
        "0ABC-DEFG-HJKM-NP*R",
        "\u0660ABC-DEFG-HJKM-NPQR",
        "A" * 10_000,
        "ﬀABCDEFGHJKMNPQ",
        "\0" * 16,
    ],
)
def test_other_texts_have_not_the_form_of_a_code(text: str) -> None:
    """Six to eight digits least of all: the form alone tells a backup code from an app's."""
    assert not backup_codes.looks_like(text)


def test_sixteen_digits_are_a_backup_code() -> None:
    """A code may happen to hold digits only; its length still tells."""
    assert backup_codes.looks_like("1234-5678-1234-5678")


@pytest.mark.requirement("L1", "L3")
def test_a_guess_costs_one_hash() -> None:
    """The index symbol picks the one row to look at."""
    assert backup_codes.pick(HASHES, 0, ParsedCode(3, "A" * 15)) == (3, "hash 3")


def test_an_index_without_a_row_is_wrong() -> None:
    """A set of ten has no eleventh row."""
    assert backup_codes.pick(HASHES, 0, ParsedCode(10, "A" * 15)) is None
    assert backup_codes.pick([], 0, ParsedCode(0, "A" * 15)) is None


@pytest.mark.requirement("L3")
def test_a_code_is_good_once() -> None:
    """A used row is a replay, and the others stay good."""
    mask = backup_codes.mark_used(0, 3)
    with pytest.raises(Replayed):
        backup_codes.pick(HASHES, mask, ParsedCode(3, "A" * 15))
    with pytest.raises(Replayed):
        backup_codes.mark_used(mask, 3)
    assert backup_codes.pick(HASHES, mask, ParsedCode(4, "A" * 15)) == (4, "hash 4")


def test_a_mask_that_was_never_set_gives_nothing() -> None:
    """The default of a counter, -1, has every bit set: all used."""
    for row in range(32):
        with pytest.raises(Replayed):
            backup_codes.mark_used(-1, row)
    assert backup_codes.left(-1, 10) == 0


def test_what_is_left_is_counted() -> None:
    """Each use takes one away, until there are none."""
    mask = 0
    for row in range(10):
        assert backup_codes.left(mask, 10) == 10 - row
        mask = backup_codes.mark_used(mask, row)
    assert backup_codes.left(mask, 10) == 0


@pytest.mark.requirement("L2")
def test_the_cost_of_a_hash_is_the_one_that_owasp_gives() -> None:
    """Argon2id with 19 MiB, two passes, one lane."""
    assert backup_codes.ARGON2 == (19_456, 2, 1)


@pytest.mark.requirement("K3")
def test_a_code_in_a_log_shows_no_secret() -> None:
    """Its representation leaves the secret out."""
    assert "ABC" not in repr(ParsedCode(0, "ABCDEFGHJKMNPQR"))
