"""What is wrong with a policy document: all of it at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

_SIMILAR = 0.6
"""How alike a word must be to be offered instead (difflib's own default)."""

MAX_PROBLEMS = 100
"""More than anybody would read."""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to mend. ``line`` and ``column`` count characters from 1; ``pointer`` is a JSON pointer (RFC 6901)."""

    line: int
    column: int
    pointer: str
    code: str
    detail: str
    nearest: str | None = None

    def __str__(self) -> str:
        hint = f" (did you mean {self.nearest}?)" if self.nearest is not None else ""
        return f"line {self.line}, column {self.column}: {self.detail}{hint}"


class PolicyErrors(Exception):
    """A document that must not be used. ``problems`` is never empty and is in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column))[:MAX_PROBLEMS])
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that looks most like this one, if any does."""
    by_fold = {candidate.casefold(): candidate for candidate in valid}
    found = difflib.get_close_matches(word[:64].casefold(), by_fold, n=1, cutoff=_SIMILAR)
    return by_fold[found[0]] if found else None


def step(pointer: str, name: str | int) -> str:
    """The pointer one step further down."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
