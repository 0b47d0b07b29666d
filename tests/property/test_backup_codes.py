"""Every code that is made is read back, however it was typed."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlatch.domain.factors import backup_codes
from nightlatch.domain.factors.backup_codes import ALPHABET


@pytest.mark.requirement("L1")
@given(st.integers(1, 32).flatmap(lambda count: st.binary(min_size=count * 10, max_size=count * 10)))
def test_a_set_has_the_form_that_it_promises(entropy: bytes) -> None:
    """Four blocks of the alphabet's symbols, each with the index of its row."""
    count = len(entropy) // 10
    for row, code in enumerate(backup_codes.generate(entropy, count)):
        assert re.fullmatch(f"[{ALPHABET}]{{4}}(-[{ALPHABET}]{{4}}){{3}}", code)
        parsed = backup_codes.normalise(code)
        assert parsed is not None
        assert parsed.index == row
        assert ALPHABET[row] + parsed.secret == code.replace("-", "")


@given(st.binary(min_size=100, max_size=100), st.randoms())
def test_a_code_is_read_however_it_was_typed(entropy: bytes, dice: random.Random) -> None:
    """In any mixture of case, separators and look-alikes."""
    alike = {"0": "0oO", "1": "1iIlL", "V": "vVuU"}
    for code in backup_codes.generate(entropy):
        typed = "".join(
            dice.choice(["", "", " ", "-", "\u2011"]) + dice.choice(alike.get(symbol, symbol + symbol.lower()))
            for symbol in code.replace("-", "")
        )
        assert backup_codes.normalise(typed) == backup_codes.normalise(code)


@given(st.text(max_size=40))
def test_any_text_is_a_code_or_none(text: str) -> None:
    """What has the form is made of the alphabet; nothing raises."""
    parsed = backup_codes.normalise(text)
    if parsed is not None:
        assert 0 <= parsed.index < 32
        assert set(parsed.secret) <= set(ALPHABET)
        assert len(parsed.secret) == 15


@pytest.mark.requirement("L1")
@given(st.from_regex(r"\A[\s\-]*(\d[\s\-]*){6,8}\Z"))
def test_six_to_eight_digits_are_never_a_backup_code(text: str) -> None:
    """However they are grouped, and in whatever script."""
    assert not backup_codes.looks_like(text)
