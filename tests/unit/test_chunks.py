"""Rows by the chunk lose none, keep their order, and come in few sizes."""

from __future__ import annotations

import pytest

from nightlatch.adapters.sql.chunks import LARGEST, chunks


@pytest.mark.parametrize("count", [0, 1, 2, 3, 31, 63, 64, 65, 200])
def test_all_rows_come_in_order_and_in_powers_of_two(count: int) -> None:
    cut = list(chunks(range(count)))
    assert [row for chunk in cut for row in chunk] == list(range(count))
    assert all(len(chunk) in {2**power for power in range(7)} and len(chunk) <= LARGEST for chunk in cut)
