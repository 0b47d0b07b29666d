"""What somebody sees who gets at a traceback, a debugger's window or a careless log line."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightlatch.config.schema import GivenSettings
from nightlatch.config.sources import Value
from nightlatch.web.settings import WebSettings

SECRET = "nightlatch-key-1:c2VjcmV0:00000000"


@pytest.mark.requirement("K3")
@pytest.mark.parametrize(
    "holder",
    [
        GivenSettings(key=SECRET, database_url=f"postgresql://me:{SECRET}@db/mfa", metrics_token=SECRET),
        Value(SECRET, "NIGHTLATCH_KEY", Path()),
        WebSettings(public_url="https://mfa.example", metrics_token=SECRET),
    ],
)
def test_what_holds_a_secret_does_not_show_it(holder: object) -> None:
    """By its name alone is it known."""
    assert "c2VjcmV0" not in repr(holder)
