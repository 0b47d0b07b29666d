"""What is passed as plain is what the patterns would have left as it was."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightlatch.adapters.logs import redaction

SPLINTERS = [
    *("nlk_", "nlk", "_", "eyJ", "ey", "J", ".", ":", "/", "//", "://", "otpauth", "otpauth-migration"),
    *("nightlatch-key-1:", "nightlatch", "-key-1", "-key-1:", "Bearer", "basic", "?", "&", "=", "code=", "token="),
    *("[parameters: ", "]", " ", "\n", "{", "}", "a" * 20, "Z9" * 11, "@", "http", "postgresql", "u:p", "x"),
]
text = st.lists(st.sampled_from(SPLINTERS) | st.text(max_size=4), max_size=8).map("".join) | st.text(max_size=60)


@pytest.mark.requirement("K3", "G2")
@given(text)
@example("nightlatch-key-1:x")
@example("/" + "a" * 43)
@example("a" * 42)
@example("eyJa.b.c")
def test_the_short_way_takes_nothing_that_the_patterns_would_change(value: str) -> None:
    if redaction.is_plain(value):
        thorough = value
        for pattern, instead in redaction._PATTERNS:
            thorough = pattern.sub(instead, thorough)
        assert redaction._one_line(thorough) == value
