"""``[mail]``: what it must say, and where its password comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightlatch.adapters.delivery.smtp import SmtpOptions, Tls
from nightlatch.config import ConfigError, load_settings

GOOD = 'host = "mail.example.org"\nsender = "Example <no-reply@example.org>"\n'
ENVIRONMENT = {"NIGHTLATCH_MAIL_PASSWORD": "s3cret"}


def mail(folder: Path, text: str, environ: dict[str, str] | None = None) -> SmtpOptions | None:
    """The settings of this section."""
    file = folder / "nightlatch.toml"
    file.write_text(f"[mail]\n{text}", "utf-8")
    return load_settings(file=file, environ=environ or {}).mail


def problems(folder: Path, text: str, environ: dict[str, str] | None = None) -> str:
    """What is wrong with it."""
    with pytest.raises(ConfigError) as error:
        mail(folder, text, environ)
    return str(error.value)


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465)])
def test_the_port_follows_the_protection(tmp_path: Path, tls: str, port: int) -> None:
    found = mail(tmp_path, f'{GOOD}tls = "{tls}"\n')
    assert found is not None
    assert (found.tls, found.port, found.password) == (Tls(tls), port, None)


def test_without_a_host_there_is_no_mail(tmp_path: Path) -> None:
    assert mail(tmp_path, "") is None


def test_the_password_comes_from_the_environment_or_its_file(tmp_path: Path) -> None:
    found = mail(tmp_path, f'{GOOD}username = "n"\n', ENVIRONMENT)
    assert found is not None
    assert found.password == "s3cret"
    assert "s3cret" not in repr(found)
    (tmp_path / "password").write_text("from a file\n")
    found = mail(tmp_path, f'{GOOD}username = "n"\npassword_file = "password"\n')
    assert found is not None
    assert found.password == "from a file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{GOOD}username = "n"\npassword = "s3cret"\n', "mail.password is taken from the environment only"),
        (f'{GOOD}username = "n"\n', "come together"),
        (f'{GOOD}username = "n"\npassword_file = "absent"\n', "cannot be read"),
        (f'{GOOD}tls = "none"\n', "on loopback only"),
        (f'{GOOD}tls = "ssl"\n', "mail.tls must be starttls"),
        (f"{GOOD}port = 0\n", "mail.port must be"),
        (f'{GOOD}ca_file = "absent.pem"\n', "there is no file"),
        ('host = "mail.example.org"\n', "mail.sender is needed"),
        ('sender = "no-reply@example.org"\n', "of no use without mail.host"),
        ('host = "m"\nsender = "nobody"\n', "mail.sender must be one address"),
        ('host = "m"\nsender = "a@example.org, b@example.org"\n', "mail.sender must be one address"),
        ('host = "m"\nsender = "a@example.org\\r\\nBcc: b@example.org"\n', "mail.sender must be one address"),
        (f'{GOOD}reply_to = "x"\n', "mail.reply_to must be one address"),
        (f'{GOOD}hots = "x"\n', "unknown setting mail.hots"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(tmp_path: Path, text: str, said: str) -> None:
    found = problems(tmp_path, text)
    assert said in found
    assert "s3cret" not in found
