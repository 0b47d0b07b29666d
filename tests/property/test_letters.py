"""No name that anybody chose writes our mails (G2), in any notice and language."""

from __future__ import annotations

import re
import string
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlatch.adapters.letters import JinjaMailRenderer
from nightlatch.domain.brand import Brand
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.mail.letters import LANGUAGES, Notice, Subject
from nightlatch.domain.mail.names import LONGEST, plain_name

LINK = "https://mfa.example/mail/object?ticket=abc"
HOSTILE = (
    "Maya\r\nBcc: other@example.org\r\n\r\n<h1>Pay now</h1>",
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{app}{0.__class__}{{ 7 * 7 }}{% raw %}",
    "https://evil.example/login or www.evil.example",
    "\u202egpj.exe\u2066\u2028\x00\x1b[31m\ufeff",
    "x" * 5_000,
    "",
)
names = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=200), st.text("<>&\"'{}%\r\n./:@" + string.ascii_letters))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]


def tags_of(html: str) -> tuple[list[str], list[str | None]]:
    """Its elements, and where they lead."""
    page = _Page()
    page.feed(html)
    return page.tags, page.links


def addresses(text: str) -> list[str]:
    """What mail programs would make links of."""
    return [word for word in re.split(r"\s", text) if "://" in word or "www." in word]


def about(notice: Notice, label: str, app: str, browser: str) -> Subject:
    """A notice that says all that one can say."""
    return Subject(
        notice=notice, at=1_766_000_000_000_000, kind="totp", label=label, app=app, browser=browser, left=2, link=LINK
    )


@pytest.mark.requirement("G2")
@pytest.mark.parametrize("locale", [*LANGUAGES, "fr-CA", None])
@given(notice=st.sampled_from(Notice), label=names, app=names, browser=names, organization=names)
def test_no_name_adds_a_line_an_element_or_a_link(
    locale: str | None, notice: Notice, label: str, app: str, browser: str, organization: str
) -> None:
    """The mail is built like one of harmless names."""
    plain = JinjaMailRenderer(Brand(name="Example")).render(about(notice, "phone", "bank", "Firefox"), locale=locale)
    found = JinjaMailRenderer(Brand(name=organization)).render(about(notice, label, app, browser), locale=locale)
    assert tags_of(found.html) == tags_of(plain.html)
    assert found.text.count("\n") == plain.text.count("\n")
    assert not any(ord(char) < 32 or char in "\u2028\u2029\x85" for char in found.subject)
    assert addresses(found.text) == addresses(plain.text)


@pytest.mark.requirement("G2")
@given(names)
def test_a_name_is_one_short_line(text: str) -> None:
    """And stays what it is when it is cleaned again."""
    once = plain_name(text)
    assert len(once) <= LONGEST
    assert plain_name(once) == once
    assert not re.search(r"[\r\n\t<>/\\@{}]|\w[.:]\w", once)


@pytest.mark.parametrize(
    "name", ["Maya's phone", "J. R. Tolkien", "Müller & Söhne, GmbH", "電話", "Firefox on Windows"]
)
def test_good_names_stay(name: str) -> None:
    assert plain_name(name) == name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_every_notice_without_our_own_words(language: str) -> None:
    """No factor, token, challenge, AAL (pages.md); and each kind of way has a name."""
    for notice in Notice:
        written = JinjaMailRenderer(Brand(name="Example")).render(about(notice, "", "", ""), locale=language)
        said = written.text.replace(LINK, "").lower()
        assert not re.search(r"factor|enrol|authenticat(?!or)|challenge|token|aal|faktor|[{}]", said), (notice, said)
    assert {kind.value for kind in FactorKind} <= LANGUAGES[language].ways.keys()
