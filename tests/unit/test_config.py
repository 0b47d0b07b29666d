"""Settings: where they come from, which wins, and that nothing wrong passes silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightlatch.config import ConfigError, Settings, load_settings, reference


def load(
    text: str | None = None, tmp_path: Path | None = None, environ: dict[str, str] | None = None, **flags: Any
) -> Settings:
    file = None
    if text is not None:
        assert tmp_path is not None
        file = tmp_path / "nightlatch.toml"
        file.write_text(text, encoding="utf-8")
    return load_settings(flags, file=file, environ=environ or {})


def complaints(*args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return [str(problem) for problem in caught.value.problems]


def test_nothing_given_serves_on_loopback_from_the_data_directory_of_the_person(tmp_path: Path) -> None:
    settings = load(environ={"XDG_DATA_HOME": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path}/nightlatch/nightlatch.db"
    assert settings.key_file == tmp_path / "nightlatch" / "nightlatch.key"
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8080, 1)
    assert settings.public_url == "http://localhost:8080"
    assert settings.issuer == "Nightlatch"


def test_environment_beats_the_file_and_a_flag_beats_both(tmp_path: Path) -> None:
    text = 'port = 1\nhost = "::1"\nissuer = "File"\n'
    settings = load(text, tmp_path, {"NIGHTLATCH_PORT": "2", "NIGHTLATCH_HOST": "localhost"}, port=3)
    assert (settings.port, settings.host, settings.issuer) == (3, "localhost", "File")


def test_relative_paths_in_a_file_start_from_that_file(tmp_path: Path) -> None:
    settings = load('data_dir = "data"\ndatabase_url = "sqlite:///mfa.db"\n', tmp_path)
    assert settings.data_dir == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path}/mfa.db"
    assert settings.key_file == tmp_path / "data" / "nightlatch.key"


def test_lists_come_from_the_environment_with_commas() -> None:
    settings = load(environ={"NIGHTLATCH_TRUSTED_PROXIES": "10.0.0.0/8, ::1"})
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")


def test_an_unknown_setting_in_a_file_is_named_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    assert complaints('# ours\n\ndatabse_url = "x"\n[brand]\naccnt = "#000000"\n', tmp_path) == [
        "nightlatch.toml:3: unknown setting databse_url (did you mean database_url?)",
        "nightlatch.toml:5: unknown setting brand.accnt (did you mean brand.accent?)",
    ]


def test_an_unknown_variable_is_named_with_the_nearest() -> None:
    assert complaints(environ={"NIGHTLATCH_PROT": "1", "PORT": "2"}) == [
        "environment: unknown setting NIGHTLATCH_PROT (did you mean NIGHTLATCH_PORT?)"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('host = "a"\nport = "many"', 2),
        ("port = 65536", 1),
        ('\n\nport = [1]\nhost = "a"', 3),
        ("workers = 1.5", 1),
        ('[brand]\n"name" = ""', 2),
        ('brand.name = ""', 1),
        ('brand = {name = ""}', 1),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (complaint,) = complaints(text, tmp_path)
    assert complaint.startswith(f"nightlatch.toml:{line}: ")
    assert " must be " in complaint or "what people read" in complaint


def test_broken_toml_is_named_with_line_and_column(tmp_path: Path) -> None:
    (complaint,) = complaints('host = "a"\nport = = 1\n', tmp_path)
    assert complaint.startswith("nightlatch.toml:2:8: ")


def test_a_named_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_settings(file=tmp_path / "none.toml", environ={})
    with pytest.raises(ConfigError, match="No such file"):
        load_settings(environ={"NIGHTLATCH_CONFIG": str(tmp_path / "none.toml")})


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    assert len(complaints('prot = 1\nport = "x"\npublic_url = "http://example.org"\n', tmp_path)) == 3


@pytest.mark.requirement("X1")
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://mfa.example.org", "https except on loopback"),
        ("http://10.0.0.1:8080", "https except on loopback"),
        ("http://localhost.example.org", "https except on loopback"),
        ("ftp://example.org", "must be https"),
        ("mfa.example.org", "must be https"),
        ("https://", "must be https"),
        ("https://example.org/mfa", "no more"),
        ("https://me@example.org", "no more"),
        ("https://example.org:99999", "no address"),
    ],
)
def test_a_public_url_that_is_not_https_is_refused(url: str, reason: str) -> None:
    (complaint,) = complaints(environ={"NIGHTLATCH_PUBLIC_URL": url})
    assert reason in complaint


@pytest.mark.requirement("X1")
@pytest.mark.parametrize(
    "url",
    ["https://mfa.example.org", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1", "http://a.localhost"],
)
def test_https_and_loopback_are_taken(url: str) -> None:
    assert load(environ={"NIGHTLATCH_PUBLIC_URL": url + "/"}).public_url == url


def test_sqlite_refuses_more_than_one_worker() -> None:
    (complaint,) = complaints(workers=4)
    assert complaint.startswith("--workers: SQLite serves with one worker, not 4")
    assert "postgresql://" in complaint
    assert load(workers=4, database_url="postgresql://a@b/c").workers == 4


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("database_url", "mysql://a/b", "not mysql"),
        ("database_url", "postgersql://a/b", "did you mean postgresql://"),
        ("database_url", "postgresql://a/b?sslmod=require", "did you mean sslmode"),
        ("database_url", "sqlite://", "sqlite:///relative.db"),
        ("database_direct_url", "postgresql://a/b", "belongs to"),
        ("database_direct_url", "sqlite:///a", "belongs to"),
        ("valkey_url", "memcached://a", "valkey://"),
        ("trusted_proxies", "10.0.0.1/8", "host bits"),
        ("issuer", "Acme: bank", 'without ":"'),
        ("metrics_token", "short", "from 16"),
        ("brand_help_url", "javascript:alert(1)", "https://"),
        ("brand_logo", "http://example.org/a.png", "https://"),
    ],
)
def test_values_that_cannot_work_are_refused(name: str, value: str, reason: str) -> None:
    (complaint,) = complaints(environ={"NIGHTLATCH_" + name.upper(): value})
    assert reason in complaint


def test_a_key_is_taken_from_the_environment_and_never_from_a_file(tmp_path: Path) -> None:
    assert complaints('key = "nightlatch-key-1:abc"', tmp_path) == [
        "nightlatch.toml:1: key is taken from the environment only (did you mean key_file?)"
    ]
    (complaint,) = complaints(environ={"NIGHTLATCH_KEY": "a", "NIGHTLATCH_KEY_FILE": "b"})
    assert "not both" in complaint


def test_an_accent_that_people_cannot_read_is_refused_with_the_nearest_that_passes() -> None:
    (complaint,) = complaints(environ={"NIGHTLATCH_BRAND_ACCENT": "#FF8800"})
    nearest = complaint.rpartition("did you mean ")[2].rstrip("?)")
    assert load(environ={"NIGHTLATCH_BRAND_ACCENT": nearest}).brand.accent == nearest
    assert "4.5:1" in complaint


@pytest.mark.requirement("K3")
def test_settings_print_without_passwords_and_keys() -> None:
    settings = load(environ={"NIGHTLATCH_DATABASE_URL": "postgresql://u:hunter2@h/d", "NIGHTLATCH_KEY": "nlsecret"})
    assert "hunter2" not in repr(settings)
    assert "nlsecret" not in repr(settings)


def test_every_setting_is_documented() -> None:
    for info in reference():
        assert info.description, info.name
        assert info.environment == "NIGHTLATCH_" + info.name.replace(".", "_").upper()
