"""Database addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightlatch.adapters.sql.url import BadAddress, PostgresAddress, SqliteAddress, parse_address


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///mfa.db", "mfa.db"),
        ("sqlite:////var/lib/n/mfa.db", "/var/lib/n/mfa.db"),
        ("sqlite:///a%20b.db", "a b.db"),
    ],
)
def test_an_sqlite_address_is_a_file(url: str, path: str) -> None:
    """Relative with three slashes, absolute with four."""
    assert parse_address(url) == SqliteAddress(Path(path))


def test_a_postgres_address_goes_to_the_driver() -> None:
    """With libpq's parameters; ours are taken out."""
    url = "postgresql://maya:s%40cret@db.example:5433/mfa?sslmode=verify-full&connect_timeout=3&statement_cache_size=0"
    assert parse_address(url) == PostgresAddress(
        dsn="postgresql://maya:s%40cret@db.example:5433/mfa?sslmode=verify-full",
        seconds_to_connect=3,
        statements_kept=0,
    )
    assert parse_address("postgres:///mfa?host=/var/run/postgresql") == PostgresAddress(
        dsn="postgres:///mfa?host=%2Fvar%2Frun%2Fpostgresql"
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mfa.db", "begins with sqlite:/// or postgresql://"),
        ("mysql://a/b", "not mysql"),
        ("postgersql://a/b", "did you mean postgresql://"),
        ("sqlite://", "sqlite:///relative.db"),
        ("sqlite:///", "sqlite:///relative.db"),
        ("sqlite://mfa.db", "sqlite:///relative.db"),
        ("sqlite:///:memory:", "is a file"),
        ("sqlite:///mfa.db?mode=ro", "no parameters"),
        ("postgresql://a/b?sslmod=require", "did you mean sslmode"),
        ("postgresql://a/b?connect_timeout=soon", "whole number"),
    ],
)
def test_what_cannot_be_used_says_why(url: str, says: str) -> None:
    """With the nearest word that can."""
    with pytest.raises(BadAddress, match=says):
        parse_address(url)


@pytest.mark.requirement("G2")
def test_an_address_never_shows_its_password() -> None:
    """Neither in what it prints nor in what it refuses."""
    assert "secret" not in repr(parse_address("postgresql://maya:secret@db/mfa"))
    with pytest.raises(BadAddress) as refused:
        parse_address("postgresql://maya:secret@db/mfa?nonsense=1")
    assert "secret" not in str(refused.value)
