"""Addresses that every app reads alike."""

from __future__ import annotations

import pytest

from nightlatch.domain.factors import totp
from nightlatch.domain.factors.otpauth import InvalidUri, OtpauthUri, build, parse

SECRET = bytes(range(20))
TEXT = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT"


@pytest.mark.requirement("T11")
def test_the_defaults_are_sha1_six_digits_and_thirty_seconds() -> None:
    """They are left out of the address, and read back."""
    uri = totp.provisioning_uri(TEXT, issuer="Example Bank", account="maya@example.com")
    assert uri == f"otpauth://totp/Example%20Bank:maya%40example.com?secret={TEXT}&issuer=Example%20Bank"
    read = parse(uri)
    assert (read.algorithm, read.digits, read.period) == ("SHA1", 6, 30)


def test_other_parameters_are_written() -> None:
    """What differs from the default stands in the address."""
    params = totp.TotpParameters("SHA256", 8, 60)
    uri = totp.provisioning_uri(SECRET, issuer="B", account="m", params=params)
    assert uri.endswith("&algorithm=SHA256&digits=8&period=60")
    assert parse(uri).parameters() == params


def test_an_address_for_hotp_has_its_counter_and_no_period() -> None:
    """An app cannot begin without the counter."""
    uri = build(OtpauthUri(kind="hotp", issuer="B", account="m", secret=SECRET, counter=0))
    assert uri == f"otpauth://hotp/B:m?secret={TEXT}&issuer=B&counter=0"


@pytest.mark.requirement("T11")
def test_the_issuer_equals_the_prefix_of_the_label() -> None:
    """Apps take one or the other; when they differ, none is believed."""
    with pytest.raises(InvalidUri) as refused:
        parse(f"otpauth://totp/Bank:maya?secret={TEXT}&issuer=Evil")
    assert refused.value.code == "issuer_mismatch"


@pytest.mark.requirement("T11")
@pytest.mark.parametrize(("issuer", "account"), [("A:B", "m"), ("B", "m:n"), ("B", ":"), (":", "m")])
def test_a_colon_in_either_name_is_refused(issuer: str, account: str) -> None:
    """Apps split the label at the colon, wherever it came from."""
    with pytest.raises(InvalidUri) as refused:
        totp.provisioning_uri(TEXT, issuer=issuer, account=account)
    assert refused.value.code == "bad_label"


@pytest.mark.requirement("T11")
@pytest.mark.parametrize(
    ("issuer", "account"),
    [
        ("B\n", "m"),
        ("B", "m\0n"),
        ("B", "m\x1b[31m"),
        ("B", "m\u2028n"),
        ("B", "\u202em"),
        ("B", "\ud800"),
        ("B\x7f", "m"),
        ("B", "\x85m"),
    ],
)
def test_control_characters_are_refused(issuer: str, account: str) -> None:
    """No name can forge a line, colour a terminal, or show as another by turning its direction."""
    with pytest.raises(InvalidUri) as refused:
        totp.provisioning_uri(TEXT, issuer=issuer, account=account)
    assert refused.value.code == "bad_label"


@pytest.mark.parametrize(("issuer", "account"), [("B", ""), (" B", "m"), ("B ", "m"), ("B", " m"), ("B", "m\u3000")])
def test_names_that_apps_would_trim_are_refused(issuer: str, account: str) -> None:
    """An empty account, or space at an end, would not come back as it went."""
    with pytest.raises(InvalidUri):
        totp.provisioning_uri(TEXT, issuer=issuer, account=account)


@pytest.mark.parametrize(
    ("issuer", "account"),
    [
        ("Bücher & Söhne", "maya+1@example.com"),
        ("銀行", "マヤ"),
        ("A/B?#%&=+", "ü/?#&=%3A"),
        ("🏦", "👩‍💻"),
        ("بنك", "مايا"),
    ],
)
def test_names_of_all_scripts_survive(issuer: str, account: str) -> None:
    """Everything outside the unreserved characters is percent-encoded, so the address is ASCII."""
    uri = totp.provisioning_uri(TEXT, issuer=issuer, account=account)
    assert uri.isascii()
    assert (parse(uri).issuer, parse(uri).account) == (issuer, account)


@pytest.mark.parametrize(
    "uri",
    [
        f"OTPAUTH://TOTP/Bank:maya?SECRET={TEXT}&ISSUER=Bank",
        f"otpauth://totp/Bank%3Amaya?secret={TEXT.lower()}&issuer=Bank",
        f"otpauth://totp/Bank:%20maya?issuer=Bank&secret={TEXT}",
        f"otpauth://totp/Bank:maya?secret={TEXT}%3D%3D&algorithm=sha1&digits=6&period=30",
        f"otpauth://totp/maya?secret={TEXT}&issuer=Bank&image=https%3A%2F%2Fexample.com%2Flogo.png",
    ],
)
def test_what_other_makers_write_is_read(uri: str) -> None:
    """Case, order, padding, an encoded colon and unknown parameters do not matter."""
    read = parse(uri)
    assert (read.issuer, read.account, read.secret) == ("Bank", "maya", SECRET)


@pytest.mark.parametrize(("raw", "meant"), [("A+B", "A B"), ("A%20B", "A B"), ("A%2BB", "A+B")])
def test_a_plus_sign_alone_is_a_space(raw: str, meant: str) -> None:
    """Forms write spaces so, and we never leave a plus sign as it is."""
    assert parse(f"otpauth://totp/m?secret={TEXT}&issuer={raw}").issuer == meant


def test_a_plus_sign_that_agrees_with_the_label_is_a_plus_sign() -> None:
    """The label settles which of two readings is meant."""
    assert parse(f"otpauth://totp/A+B:m?secret={TEXT}&issuer=A+B").issuer == "A+B"
    assert parse(f"otpauth://totp/A%20B:m?secret={TEXT}&issuer=A+B").issuer == "A B"


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("", "not_otpauth"),
        ("https://example.com/", "not_otpauth"),
        (f"otpauth://sms/B:m?secret={TEXT}", "not_otpauth"),
        (f"otpauth://totp/B:m?secret={TEXT}#x", "not_otpauth"),
        ("otpauth://totp/B:m", "missing_parameter"),
        (f"otpauth://hotp/B:m?secret={TEXT}", "missing_parameter"),
        (f"otpauth://totp/B:m?secret={TEXT}&secret={TEXT}", "duplicate_parameter"),
        (f"otpauth://totp/B:m?secret={TEXT}&SECRET={TEXT}", "duplicate_parameter"),
        ("otpauth://totp/B:m?secret=A1", "bad_secret"),
        ("otpauth://totp/B:m?secret=JBSWY3DP", "bad_secret"),
        (f"otpauth://totp/B:m?secret={TEXT}&algorithm=MD5", "bad_parameter"),
        (f"otpauth://totp/B:m?secret={TEXT}&digits=5", "bad_parameter"),
        (f"otpauth://totp/B:m?secret={TEXT}&digits=٦", "bad_parameter"),
        (f"otpauth://totp/B:m?secret={TEXT}&period=121", "bad_parameter"),
        (f"otpauth://totp/B:m?secret={TEXT}&period=", "bad_parameter"),
        (f"otpauth://totp/B:m?secret={TEXT}&period={'9' * 5000}"[:1900], "bad_parameter"),
        (f"otpauth://hotp/B:m?secret={TEXT}&counter=-1", "bad_parameter"),
        (f"otpauth://hotp/B:m?secret={TEXT}&counter=9223372036854775808", "bad_parameter"),
        (f"otpauth://totp/B:%ff?secret={TEXT}", "bad_encoding"),
        (f"otpauth://totp/B:m:n?secret={TEXT}", "bad_label"),
        (f"otpauth://totp/B:m%0An?secret={TEXT}", "bad_label"),
        (f"otpauth://totp/?secret={TEXT}", "bad_label"),
        (f"otpauth://totp/m?secret={TEXT}&issuer=A%3AB", "bad_label"),
        (f"otpauth://totp/m?secret={TEXT}&x={'a' * 2000}", "too_long"),
    ],
)
def test_what_two_apps_could_read_differently_is_refused(uri: str, code: str) -> None:
    """Each refusal names its reason and repeats no secret."""
    with pytest.raises(InvalidUri) as refused:
        parse(uri)
    assert refused.value.code == code
    assert TEXT not in str(refused.value)


def test_names_too_long_for_a_picture_are_refused() -> None:
    """An address beyond 2,000 characters could not be scanned from a screen."""
    with pytest.raises(InvalidUri) as refused:
        totp.provisioning_uri(TEXT, issuer="B", account="銀" * 300)
    assert refused.value.code == "too_long"


@pytest.mark.requirement("K3")
def test_an_address_in_a_log_shows_no_secret() -> None:
    """Its representation leaves the secret out."""
    shown = repr(parse(totp.provisioning_uri(TEXT, issuer="B", account="m")))
    assert "secret=…" in shown
    assert repr(SECRET) not in shown
    assert TEXT not in shown
