"""How a command fails: one clear line, how to mend it, and an exit code. Never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from cyclopts import CycloptsError
from rich.text import Text

from nightlatch.bootstrap import CannotStart
from nightlatch.cli.output import err, printable
from nightlatch.config import ConfigError
from nightlatch.domain.errors import FieldProblem, Refusal, StepUpRequired, Unavailable

REFUSED = 1
"""What was asked for is refused, or a check found problems."""
USAGE = 2
"""The command line or the settings are wrong."""
UNUSABLE = 3
"""The database or the keys cannot be used."""
INTERRUPTED = 130

STEP_UP = (
    "This person has an active way to sign in, so removing one needs their own approval: let them "
    "approve the action manage_factors and pass --approval atn_…. Nobody goes round it, operators "
    "included (B1); who has lost every way needs a recovery."
)


class Failure(Exception):
    """Something that a command itself found wrong; the text says how to mend it."""

    def __init__(self, text: str, code: int = REFUSED) -> None:
        super().__init__(text)
        self.code = code


class Located(Failure):
    """Problems in a file, a line each, as ``file:line:column: message``."""


def report(error: BaseException) -> int:
    """Tell a person what went wrong. The answer is the exit code."""
    if isinstance(error, BrokenPipeError | KeyboardInterrupt):
        return INTERRUPTED
    prefix = "" if isinstance(error, Located) else "nightlatch: "
    for line in _lines(error):
        err.print(Text(prefix + printable(line)))
    return _code(error)


def _lines(error: BaseException) -> Iterator[str]:
    if isinstance(error, ConfigError):
        yield from map(str, error.problems)
    elif isinstance(error, StepUpRequired):
        yield STEP_UP
    elif isinstance(error, Refusal):
        if not error.fields:
            yield error.detail
        yield from map(_field_line, error.fields)
    elif isinstance(error, CycloptsError):
        yield " ".join(str(error).split()) + " See nightlatch --help."
    elif isinstance(error, CannotStart | Failure):
        yield from str(error).splitlines()
    else:
        first, _, _ = str(error).partition("\n")
        yield f"a fault of ours: {type(error).__name__}: {first}. python -X dev -m nightlatch shows where."


def _field_line(problem: FieldProblem) -> str:
    name = problem.pointer.lstrip("/").replace("/", ".")
    hint = f" (did you mean {problem.nearest}?)" if problem.nearest else ""
    return f"{name}: {problem.detail}{hint}" if name else problem.detail + hint


def _code(error: BaseException) -> int:
    if isinstance(error, Failure):
        return error.code
    if isinstance(error, ConfigError | CycloptsError):
        return USAGE
    if isinstance(error, CannotStart | Unavailable):
        return UNUSABLE
    if not isinstance(error, Refusal) and sys.flags.dev_mode:
        raise error
    return REFUSED
