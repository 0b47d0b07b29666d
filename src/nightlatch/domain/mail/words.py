"""What a language must say."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The words of one notice; ``{org}``, ``{way}``, ``{app}``, ``{when}`` … are filled in."""

    subject: str
    heading: str
    paragraphs: tuple[str, ...]
    button: str | None = None


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """One language. ``ways`` is by kind, as the middle of a sentence."""

    notices: Mapping[str, Said]
    ways: Mapping[str, str]
    labelled: str
    when: str
    months: tuple[str, ...]
    unknown_browser: str
    none_left: str
    one_left: str
    some_left: str
    help: str
    no_help: str
    ending: str
