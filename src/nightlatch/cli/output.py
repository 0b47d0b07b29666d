"""What commands print: answers for people or for programs on standard output, the rest on error."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 200
"""Columns where nobody looks: a table in a file or a pipe is not squeezed."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8") + "\n")


def print_json_line(value: Any) -> None:
    """One JSON document on one line, for streams."""
    sys.stdout.write(msgspec.json.encode(value).decode("utf-8") + "\n")


def print_table(rows: Sequence[msgspec.Struct], columns: Sequence[str], *, empty: str) -> None:
    """Some fields of answers as a table; ``empty`` is what to say instead of no rows."""
    if not rows:
        err.print(Text(empty))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # Ids are copied from here, so they are never cut.
        table.add_column(column.replace("_", " "), no_wrap=column == "id", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(getattr(row, column))) for column in columns))
    out.print(table)


def print_fields(answer: msgspec.Struct) -> None:
    """All fields of one answer, one a line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name in answer.__struct_fields__:
        table.add_row(name.replace("_", " "), Text(shown(getattr(answer, name))))
    out.print(table)


def say(text: str) -> None:
    """A remark for the person who looks; never part of the answer."""
    err.print(Text(text))


def shown(value: Any) -> str:
    """A value as people read it. Control characters are shown, not sent to the terminal (G2)."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%MZ")
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or "-"
    if isinstance(value, msgspec.Struct):
        return shown(getattr(value, value.__struct_fields__[0]))
    return printable(str(value))


def printable(text: str) -> str:
    """The text with everything that a terminal would obey made visible."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
