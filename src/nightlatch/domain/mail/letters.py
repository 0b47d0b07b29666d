"""Which mails there are, and what each says in its reader's language.

Words of pages and mails are the same: a *way to sign in*, never a factor. No word here comes from a request: names are
put in by ``plain_name``, and whoever lays a letter out escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from nightlatch.domain.mail.names import plain_name
from nightlatch.domain.mail.words import Words
from nightlatch.domain.mail.words_de import DE
from nightlatch.domain.mail.words_en import EN
from nightlatch.domain.time import moment

LANGUAGES: dict[str, Words] = {"en": EN, "de": DE}


class Notice(StrEnum):
    """What a mail tells."""

    FIRST_WAY = "first_way"
    WAY_ADDED = "way_added"
    WAY_REMOVED = "way_removed"
    WAY_UNLOCKED = "way_unlocked"
    NEW_CODES = "new_codes"
    CODE_USED = "code_used"
    FEW_CODES = "few_codes"
    ADDRESSES_CHANGED = "addresses_changed"
    STOLEN_BROWSER = "stolen_browser"
    REFUSED = "refused"
    PHONE_RESTS = "phone_rests"
    CONFIRM_ADDRESS = "confirm_address"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One mail in words. ``button`` and ``link`` come together; ``link`` is ours, with its token."""

    language: str
    subject: str
    heading: str
    paragraphs: tuple[str, ...]
    button: str | None = None
    link: str | None = None
    ending: str

    def __repr__(self) -> str:
        """Without words and token (K3)."""
        return f"Letter(language={self.language!r})"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail is about. ``kind`` is of the way; ``app``, ``label``, ``browser`` are names that people chose."""

    notice: Notice
    at: int
    kind: str | None = None
    label: str | None = None
    app: str | None = None
    browser: str | None = None
    left: int | None = None
    link: str | None = None


def letter(about: Subject, *, organization: str, help_at: str | None, locale: str | None) -> Letter:
    """The words of a mail. ``help_at`` is a phone number or address of the organisation's settings."""
    language = (locale or "").partition("-")[0].lower()
    words = LANGUAGES.get(language, EN)
    values = _values(about, words, organization)
    said = words.notices[about.notice.value]
    help_ = words.help.format(help=help_at, **values) if help_at else words.no_help.format(**values)
    return Letter(
        language=language if language in LANGUAGES else "en",
        subject=said.subject.format(**values),
        heading=said.heading.format(**values),
        paragraphs=(*(text.format(help=help_, **values) for text in said.paragraphs),),
        button=said.button if about.link else None,
        link=about.link if said.button else None,
        ending=words.ending.format(**values),
    )


def _values(about: Subject, words: Words, organization: str) -> Mapping[str, str]:
    organization = plain_name(organization) or "Nightlatch"
    way = words.ways.get(about.kind or "", words.ways["other"])
    label = plain_name(about.label or "")
    return {
        "org": organization,
        "way": words.labelled.format(way=way, label=label) if label else way,
        "app": plain_name(about.app or "") or organization,
        "browser": plain_name(about.browser or "") or words.unknown_browser,
        "left": _left(about.left, words),
        "when": _when(about.at, words),
    }


def _left(left: int | None, words: Words) -> str:
    if not left:
        return words.none_left
    return words.one_left if left == 1 else words.some_left.format(left=left)


def _when(at: int, words: Words) -> str:
    instant = moment(at)
    return words.when.format(instant, month=words.months[instant.month - 1])
