"""What a text says, whatever an application is called and wherever it is."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from nightlatch.domain.sms.message import BASIC, LOCALES, LONGEST, Purpose, bound_host, code_text, spelt

HOSTS = st.from_regex(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,30}[a-z0-9])?){1,4}", fullmatch=True)
NAMES = st.text(max_size=80) | st.text(st.sampled_from("@#\r\n .:/0123456789aÄ日\u202e\0"), max_size=40)
CODES = st.integers(0, 999_999).map("{:06d}".format)
PURPOSES: tuple[Purpose, ...] = ("sign_in", "set_up")


@given(
    NAMES,
    CODES,
    st.sampled_from([*LOCALES, None, "de-AT", "pt-BR", "zh"]),
    st.sampled_from(PURPOSES),
    HOSTS,
    st.sampled_from(["https://{}", "https://{}:443", "https://{}:8443", "http://localhost:8080"]),
)
@example("\r\n@evil.example #123456", "482913", "de", "sign_in", "mfa.example", "https://{}")
@example("Bank 123456 sagt", "482913", None, "set_up", "mfa.example", "https://{}")
@example("X" * 80, "000000", "fr", "sign_in", "a" * 60 + "." + "b" * 60 + ".example", "https://{}")
def test_every_text_is_one_message_with_one_code(
    app: str, code: str, locale: str | None, purpose: Purpose, host: str, form: str
) -> None:
    """160 characters of the GSM alphabet, the code first, and bound to our own address or to none."""
    address = form.format(host)
    text = code_text(code, app=app, locale=locale, public_url=address, purpose=purpose)
    assert len(text) <= LONGEST
    assert set(text) <= BASIC
    first, *rest = text.split("\n")
    assert re.findall(r"\d{4,}", first) == [code]
    assert not set(first) & set("@#/\r")
    assert rest in ([], [f"@{bound_host(address)} #{code}"])
    if len(host) < 40 and form in ("https://{}", "https://{}:443"):
        assert rest


@given(NAMES)
def test_a_name_is_never_empty_and_never_changes_again(name: str) -> None:
    """It is on one line, and what it is."""
    once = spelt(name)
    assert once
    assert spelt(once) == once


def test_only_our_https_address_is_bound() -> None:
    """On its default port, by a name that browsers take."""
    assert bound_host("https://mfa.example") == bound_host("https://mfa.example:443") == "mfa.example"
    for address in (
        "http://localhost:8080",
        "https://mfa.example:8443",
        "https://[::1]",
        "https://b\u00fccher.example",
    ):
        assert bound_host(address) is None


def test_names_keep_their_letters_where_the_alphabet_has_them() -> None:
    """And lose only the marks of others."""
    assert spelt("Caf\u00e9 M\u00fcller & S\u00f6hne") == "Caf\u00e9 M\u00fcller & S\u00f6hne"
    assert spelt("\u0141\u00f3d\u017a \u010d\u010d") == "Lodz cc"
    assert spelt("\u65e5\u672c") == "Nightlatch"
    assert spelt("Evil https://x.example/y") == "Evil https x.example y"
