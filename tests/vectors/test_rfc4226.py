"""RFC 4226, appendix D."""

from __future__ import annotations

import pytest

from nightlatch.domain.factors import hotp

SECRET = b"12345678901234567890"

TRUNCATED = (
    1284755224,
    1094287082,
    137359152,
    1726969429,
    1640338314,
    868254676,
    1918287922,
    82162583,
    673399871,
    645520489,
)
CODES = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")


@pytest.mark.requirement("T2")
@pytest.mark.parametrize("counter", range(10))
def test_the_codes_of_appendix_d(counter: int) -> None:
    """Counters 0 to 9 give the codes of the table; the truncated numbers give those of seven and eight digits."""
    assert hotp.code_at(SECRET, counter) == CODES[counter]
    assert hotp.code_at(SECRET, counter, 7) == f"{TRUNCATED[counter] % 10**7:07d}"
    assert hotp.code_at(SECRET, counter, 8) == f"{TRUNCATED[counter] % 10**8:08d}"


@pytest.mark.requirement("T2", "T8")
@pytest.mark.parametrize("counter", range(10))
def test_the_codes_of_appendix_d_are_accepted(counter: int) -> None:
    """Each code is accepted at its counter, and the next counter is one further."""
    assert hotp.match(SECRET, CODES[counter], counter=counter) == counter + 1
