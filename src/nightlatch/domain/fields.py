"""Checking fields: each check says yes with a value or no with a reason; a request shows all its reasons at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeVar

from nightlatch.domain.errors import FieldProblem, Invalid

V = TypeVar("V")
W = TypeVar("W")
D = TypeVar("D")

# Cc, Cs, Cn: would forge or break a line, or have no agreed form. Zl, Zp: line breaks by another name.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})
# Bidirectional marks, overrides and isolates: would show a text other than the one that is written.
_FORBIDDEN_CHARACTERS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


class BadField(Exception):
    """Why one value was refused: a stable code, a sentence, and what may have been meant."""

    def __init__(self, code: str, detail: str, nearest: str | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.nearest = nearest


class Problems:
    """Collects what is wrong with a request, so that one answer names every bad field."""

    def __init__(self) -> None:
        self._found: list[FieldProblem] = []

    def add(self, pointer: str, code: str, detail: str, nearest: str | None = None) -> None:
        """Note a problem with the field at this JSON pointer (RFC 6901)."""
        self._found.append(FieldProblem(pointer, code, detail, nearest))

    def take(self, pointer: str, check: Callable[[V], W], value: V, otherwise: D) -> W | D:
        """The checked value; or ``otherwise``, with the problem noted."""
        try:
            return check(value)
        except BadField as bad:
            self.add(pointer, bad.code, bad.detail, bad.nearest)
            return otherwise

    def optional(self, pointer: str, check: Callable[[V], W], value: V | None) -> W | None:
        """The checked value, or None where there is none or it was refused."""
        return None if value is None else self.take(pointer, check, value, None)

    def none_below(self, *pointers: str) -> bool:
        """Whether nothing is wrong with these fields, so that rules between them may be asked."""
        return not any(problem.pointer.startswith(pointers) for problem in self._found)

    def each(self, pointer: str, check: Callable[[V], W], values: Iterable[V], most: int) -> tuple[W, ...]:
        """The checked values in order, without repeats; at most so many."""
        kept: dict[W, None] = {}
        for index, value in enumerate(values):
            if index >= most:
                self.add(pointer, "too_many", f"At most {most} are possible.")
                break
            try:
                kept[check(value)] = None
            except BadField as bad:
                self.add(f"{pointer}/{index}", bad.code, bad.detail, bad.nearest)
        return tuple(kept)

    def refuse(self) -> None:
        """Raise ``Invalid`` with all problems, if there are any."""
        if self._found:
            raise Invalid(fields=tuple(self._found))


def shown_text(text: str, longest: int) -> str:
    """A name or label as people read it: normalised (NFC), trimmed, on one line, and what it seems to be.

    Raises ``BadField`` for an empty or too long one and for characters that forge a line or turn its direction (G2).
    """
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise BadField("empty", "This must not be empty.")
    if len(text) > longest:
        raise BadField("too_long", f"At most {longest} characters are possible.")
    for character in text:
        if unicodedata.category(character) in _FORBIDDEN_CATEGORIES or character in _FORBIDDEN_CHARACTERS:
            raise BadField("forbidden_character", f"The character U+{ord(character):04X} may not be used here.")
    return text
