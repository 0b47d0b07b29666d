"""An accent reads on every surface, or the nearest that does is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlatch.domain.brand import (
    DARK_SURFACES,
    MINIMUM_CONTRAST,
    contrast,
    dark_accent,
    lowest_contrast,
    readable_accent,
)

COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


def test_contrast_is_that_of_wcag() -> None:
    """White on black is 21:1; #777777 on white is the well-known 4.48 that just fails."""
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.478, abs=0.001)


def test_the_design_tokens_have_the_contrast_that_the_design_states() -> None:
    assert lowest_contrast("#1D4E89") == pytest.approx(7.0, abs=0.05)
    assert lowest_contrast("#8DB8F2", DARK_SURFACES) == pytest.approx(7.9, abs=0.05)


def test_an_accent_that_reads_stays_as_it_is() -> None:
    assert readable_accent("#1D4E89") == "#1D4E89"


@given(COLORS)
def test_the_nearest_accent_always_reads(color: str) -> None:
    assert lowest_contrast(readable_accent(color)) >= MINIMUM_CONTRAST
    assert lowest_contrast(dark_accent(color), DARK_SURFACES) >= MINIMUM_CONTRAST


@pytest.mark.parametrize("text", ["", "#FFF", "red", "#GG0000", "#1234567"])
def test_what_is_no_color_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="#RRGGBB"):
        readable_accent(text)
