"""What an application may register."""

from __future__ import annotations

import pytest

from nightlatch.app.applications.checks import checked_registration, return_url, scope
from nightlatch.domain.errors import Invalid
from nightlatch.domain.fields import BadField


@pytest.mark.requirement("X5")
@pytest.mark.parametrize(
    "url",
    [
        "https://bank.example/signed-in",
        "https://bank.example:8443/a?b=c",
        "http://localhost:8000/back",
        "http://127.0.0.1/back",
        "http://[::1]:9000/back",
    ],
)
def test_a_return_url_is_kept_as_written(url: str) -> None:
    """It is compared exactly later on."""
    assert return_url(url) == url


@pytest.mark.requirement("X5", "X1")
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("/signed-in", "invalid_url"),
        ("bank.example", "invalid_url"),
        ("https:///x", "invalid_url"),
        ("javascript:alert(1)", "invalid_url"),
        ("https://bank.example/a b", "invalid_url"),
        ("https://bank.example/\n", "invalid_url"),
        ("https://bank.example\\@evil.example/", "invalid_url"),
        ("https://bänk.example/", "invalid_url"),
        ("https://bank.example:99999/", "invalid_url"),
        ("https://[::1/", "invalid_url"),
        ("https://bank.example/" + "a" * 2000, "invalid_url"),
        ("http://bank.example/", "not_https"),
        ("http://127.0.0.1.evil.example/", "not_https"),
        ("http://localhost.evil.example/", "not_https"),
        ("https://bank.example/#x", "fragment"),
        ("https://bank.example/#", "fragment"),
        ("https://user:pass@bank.example/", "credentials"),
    ],
)
def test_what_is_no_return_url(url: str, code: str) -> None:
    """Nothing that a browser could read as another place, and nothing in clear over a network."""
    with pytest.raises(BadField) as refused:
        return_url(url)
    assert refused.value.code == code


def test_an_unknown_scope_is_refused_with_the_nearest() -> None:
    """Scopes are words that people type."""
    assert scope("users:read") == "users:read"
    with pytest.raises(BadField) as refused:
        scope("user:read")
    assert refused.value.nearest == "users:read"


def test_every_bad_field_of_a_registration_is_named() -> None:
    """In one answer."""
    with pytest.raises(Invalid) as refused:
        checked_registration("a\nb", ["authenticate", "x"], ["https://bank.example/", "ftp://x/"])
    assert [problem.pointer for problem in refused.value.fields] == ["/name", "/scopes/1", "/return_urls/1"]


def test_a_key_needs_a_scope() -> None:
    """One that opens nothing is a mistake."""
    with pytest.raises(Invalid) as refused:
        checked_registration("bank", [], [])
    assert [(problem.pointer, problem.code) for problem in refused.value.fields] == [("/scopes", "empty")]
