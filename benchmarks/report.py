"""What was measured, beside what was promised; printed as it comes and once more as one table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


@dataclass(frozen=True)
class Figure:
    """One line. ``target`` in words; ``met`` None where nothing was promised."""

    name: str
    value: str
    target: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, str, str, str]:
        """Name, value, target, verdict."""
        return self.name, self.value, self.target, {None: "", True: "met", False: "MISSED"}[self.met]


@dataclass
class Report:
    """Figures in the order in which they were taken."""

    figures: list[Figure] = field(default_factory=list)

    def tell(self, name: str, value: str) -> None:
        """A figure without a promise, such as a rate by itself."""
        self._add(Figure(name, value))

    def at_least(self, name: str, value: float, target: float, *, unit: str = " ×", places: int = 2) -> None:
        """A figure that should not be smaller."""
        self._add(Figure(name, f"{value:.{places}f}{unit}", f"≥ {target:g}{unit}", value >= target))

    def at_most(self, name: str, value: float, target: float, *, unit: str, places: int = 1) -> None:
        """A figure that should not be greater."""
        self._add(Figure(name, f"{value:.{places}f}{unit}", f"≤ {target:g}{unit}", value <= target))

    @property
    def missed(self) -> list[str]:
        """What did not keep its promise."""
        return [figure.name for figure in self.figures if figure.met is False]

    def table(self) -> str:
        """All of it, as Markdown."""
        rows = [("figure", "measured", "target", ""), *(figure.cells() for figure in self.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
        ]
        return "\n".join([lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]])

    def _add(self, figure: Figure) -> None:
        self.figures.append(figure)
        print("  " + "  ".join(cell for cell in figure.cells() if cell), flush=True)


def record(page: Path, head: list[str], table: str) -> None:
    """Put the figures where the page has them. Raises ``ValueError`` for a page without that place."""
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no place for figures ({BEGIN} … {END})")
    said = "\n".join(f"- {line}" for line in head)
    page.write_text(f"{before}{begin}\n\n{said}\n\n{table}\n\n{end}{after}", "utf-8")


@contextmanager
def section(title: str, say: Callable[[str], None] = print) -> Iterator[None]:
    """A heading, and how long the part took."""
    say(f"\n== {title}")
    began = time.monotonic()
    yield
    say(f"   ({time.monotonic() - began:.0f} s)")
