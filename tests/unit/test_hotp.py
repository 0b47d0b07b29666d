"""Counter-based codes are accepted a little ahead, once, and far ahead only two by two."""

from __future__ import annotations

import pytest

from nightlatch.domain.factors import hotp
from nightlatch.domain.factors.base import WrongCode

SECRET = b"12345678901234567890"


def code_of(counter: int) -> str:
    """The code of a counter."""
    return hotp.code_at(SECRET, counter)


@pytest.mark.requirement("T8")
@pytest.mark.parametrize("ahead", range(11))
def test_a_code_within_the_look_ahead_moves_the_counter_past_it(ahead: int) -> None:
    """The answer is the counter after the match, so neither it nor those skipped are good again."""
    counter = hotp.match(SECRET, code_of(50 + ahead), counter=50)
    assert counter == 51 + ahead
    for used in range(50, counter):
        with pytest.raises(WrongCode):
            hotp.match(SECRET, code_of(used), counter=counter)


@pytest.mark.requirement("T8")
@pytest.mark.parametrize("counter", [39, 49, 61, 62, 150])
def test_a_code_outside_the_look_ahead_is_refused(counter: int) -> None:
    """The window is ten counters beyond the stored one, and nothing before it."""
    with pytest.raises(WrongCode):
        hotp.match(SECRET, code_of(counter), counter=50)


@pytest.mark.requirement("T8")
@pytest.mark.parametrize("look_ahead", [-1, 1001, 10**9])
def test_the_look_ahead_is_bounded(look_ahead: int) -> None:
    """A window without end would accept any code and cost any time."""
    with pytest.raises(ValueError, match="window"):
        hotp.match(SECRET, code_of(0), counter=0, look_ahead=look_ahead)


@pytest.mark.requirement("T9")
@pytest.mark.parametrize("ahead", [0, 1, 11, 99, 100])
def test_two_codes_in_a_row_resynchronise(ahead: int) -> None:
    """The counter moves past the second of them."""
    assert hotp.resynchronise(SECRET, code_of(50 + ahead), code_of(51 + ahead), counter=50) == 52 + ahead


@pytest.mark.requirement("T9")
def test_a_single_code_never_resynchronises() -> None:
    """One right code beyond the look-ahead is refused, alone, twice, out of order, with a gap, or with a guess."""
    far = code_of(80)
    with pytest.raises(WrongCode):
        hotp.match(SECRET, far, counter=50)
    for first, second in (
        (far, far),
        (far, "000000"),
        ("000000", far),
        (code_of(81), far),
        (far, code_of(82)),
        (far, ""),
    ):
        with pytest.raises(WrongCode):
            hotp.resynchronise(SECRET, first, second, counter=50)


@pytest.mark.requirement("T9")
def test_resynchronisation_never_goes_back_or_beyond_its_window() -> None:
    """Used codes stay used, and the search ends after a hundred counters."""
    for counter in (10, 48, 49, 151):
        with pytest.raises(WrongCode):
            hotp.resynchronise(SECRET, code_of(counter), code_of(counter + 1), counter=50)


@pytest.mark.parametrize("counter", [-1, 2**63 - 1, 2**64])
def test_a_counter_out_of_range_is_refused(counter: int) -> None:
    """A state that was never set accepts nothing, and none overflows its column."""
    with pytest.raises(ValueError, match="counter"):
        hotp.match(SECRET, "123456", counter=counter)


def test_counters_beyond_32_bits_work() -> None:
    """The moving factor has eight bytes."""
    assert hotp.match(SECRET, code_of(2**40 + 3), counter=2**40) == 2**40 + 4


@pytest.mark.parametrize("digits", [7, 8])
def test_longer_codes_are_matched_at_their_length(digits: int) -> None:
    """A code of eight digits is not the code of six."""
    code = hotp.code_at(SECRET, 7, digits)
    assert hotp.match(SECRET, code, counter=5, digits=digits) == 8
    with pytest.raises(WrongCode):
        hotp.match(SECRET, code, counter=5)
