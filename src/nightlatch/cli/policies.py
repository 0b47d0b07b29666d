"""``nightlatch policy``: check, apply and show the document that decides."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.policy.check import check_policy
from nightlatch.app.policy.read import read_policy
from nightlatch.bootstrap import NothingHere
from nightlatch.cli.failures import USAGE, Failure, Located
from nightlatch.cli.output import print_json, printable, say
from nightlatch.cli.session import HERE, Json, Where, session
from nightlatch.domain.errors import FieldProblem, Invalid
from nightlatch.domain.policy.loader import load
from nightlatch.domain.policy.problems import PolicyErrors

commands = App(
    name="policy",
    help="The policy document.",
    help_epilogue="""Examples:
  nightlatch policy show > policy.yaml
  nightlatch policy check policy.yaml
  nightlatch policy apply policy.yaml""",
)

LONGEST = 1_000_000
_PLACED = re.compile(r"line (\d+), column (\d+): (.*)", re.DOTALL)


@commands.command
async def check(file: Path, /, *, json: Json = False, where: Where = HERE) -> None:
    """Check a document without applying it: every mistake with its line, and what it makes weaker.

    Parameters
    ----------
    file
        YAML or JSON; - reads standard input.
    """
    text = _read(file)
    try:
        async with session(where) as use:
            result = await check_policy(use.opened.ports, text)
    except Invalid as error:
        raise _located(file, error) from None
    except NothingHere:
        _check_alone(file, text)
        say(f"{file} is good. There is no database here, so its groups were not looked up.")
        return
    if json:
        print_json(result)
        return
    for line in result.weakens:
        say(f"weaker than version {result.version}: {line}")
    for advice in result.advice:
        say(f"advice: {advice.detail} ({advice.pointer})")
    say(f"{file} is good.")


@commands.command
async def apply(
    file: Path,
    /,
    *,
    if_version: Annotated[
        int | None, Parameter(help="Apply only if this version is in force, so that nobody's work is undone.")
    ] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Put a document in force. A bad one never replaces a good one.

    Parameters
    ----------
    file
        YAML or JSON; - reads standard input.
    """
    text = _read(file)
    try:
        async with session(where, make=True) as use:
            answer = await apply_policy(use.opened.ports, use.caller, text, if_version)
    except Invalid as error:
        raise _located(file, error) from None
    if json:
        print_json(answer)
        return
    for line in answer.weakens:
        say(f"weaker than before: {line}")
    say(f"Version {answer.version} is in force.")


@commands.command
async def show(
    *,
    version: Annotated[int | None, Parameter(help="An earlier version; 0 is the built-in default.")] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Print the document in force as it was written."""
    async with session(where) as use:
        answer = await read_policy(use.opened.ports, use.caller, version)
    if json:
        print_json(answer)
        return
    who = f"applied by {answer.actor}" if answer.actor else "the built-in default"
    say(f"version {answer.version}, {who}")
    sys.stdout.write(answer.document.rstrip("\n") + "\n")


def _read(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read(LONGEST + 1) if str(file) == "-" else file.read_bytes()
        if len(raw) > LONGEST:
            raise Failure(f"{file} is too long for a policy.")
        return raw.decode("utf-8")
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", USAGE) from None
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 at byte {error.start}.") from None


def _check_alone(file: Path, text: str) -> None:
    """The document by itself, as a build that has no database checks it."""
    try:
        load(text, to_apply=True)
    except PolicyErrors as error:
        raise Located("\n".join(_line(file, p.line, p.column, p.detail, p.nearest) for p in error.problems)) from None


def _located(file: Path, error: Invalid) -> Failure:
    """Every problem as ``file:line:column: message``, which editors and CI understand."""
    if not error.fields:
        return Failure(error.detail)
    return Located("\n".join(_lines(file, error.fields)))


def _lines(file: Path, problems: tuple[FieldProblem, ...]) -> Iterator[str]:
    for problem in problems:
        placed = _PLACED.fullmatch(problem.detail)
        line, column, message = placed.groups() if placed else ("1", "1", problem.detail)
        yield _line(file, line, column, message, problem.nearest)


def _line(file: Path, line: object, column: object, message: str, nearest: str | None) -> str:
    hint = f" (did you mean {nearest}?)" if nearest else ""
    return f"{file}:{line}:{column}: {printable(message)}{hint}"
