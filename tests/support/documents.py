"""Documentation that runs: the fenced blocks of a page, and one reader who does what they say from top to bottom.

A block says in its info string what it is:

- ```` ```sh run ````: a shell command, which must succeed; what it exports holds for the blocks below.
- ```` ```console run ````: commands behind `$ `, each with what it prints; `…` stands for anything.
- ```` ```sh background ````: a server; it is ready when it prints its address, and stopped at the end of the page.
- ```` ```python run ````: Python, all of a page's blocks in one namespace.
- ```` ```python file=shop.py ````: a file to write (any language).
- ```` ```sh shown ````: not run here; a sentence beside it must say what it needs.

Where a page asks its reader to do something with their hands, a comment `<!-- acted: NAME -->` names the function of
tests/support/journeys.py that does it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import journeys
from tests.support.installation import WITHIN
from tests.support.kept import free_port

ROOT = Path(__file__).parents[2]
EXECUTABLE = ("sh", "console", "python")
PORTS = ("8080", "8000")
"""What pages call the ports of Nightlatch and of the reader's application; tests give them free ones."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_ACTED = re.compile(r"^<!-- acted: (?P<name>\w+) -->$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<link>[^)\s]+)\)|!\[[^\]]*\]\((?P<picture>[^)\s]+)\)|src=\"(?P<src>[^\"]+)\"")
_READY = "is at http"


@dataclass(frozen=True)
class Block:
    """A fenced block: language, what to do with it, where it stands."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), None)

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    source = page.read_text("utf-8")
    found = sorted([*_FENCE.finditer(source), *_ACTED.finditer(source)], key=re.Match.start)
    return [_acted(page, source, one) if one.re is _ACTED else _block(page, source, one) for one in found]


def links_of(page: Path) -> list[str]:
    """Where links and pictures of a page lead."""
    prose = _FENCE.sub("", page.read_text("utf-8"))
    return [next(filter(None, found.groups())) for found in _LINK.finditer(prose)]


def anchors_of(page: Path) -> set[str]:
    """The fragments that a link may name, made from headings as code hosts make them."""
    prose = _FENCE.sub("", page.read_text("utf-8"))
    titles = re.findall(r"^#+ +(.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _acted(page: Path, source: str, found: re.Match[str]) -> Block:
    return Block(str(page.relative_to(ROOT)), source.count("\n", 0, found.start()) + 1, "acted", (), found["name"])


def _block(page: Path, source: str, found: re.Match[str]) -> Block:
    language, *words = found["info"].split() or [""]
    indent = len(found["indent"])
    text = "".join(line[indent:] if line.strip() else line for line in found["text"].splitlines(keepends=True))
    return Block(str(page.relative_to(ROOT)), source.count("\n", 0, found.start()) + 2, language, tuple(words), text)


@dataclass
class Reader:
    """Somebody who follows a page in an empty directory. ``names`` is what Python blocks defined."""

    folder: Path
    ports: dict[str, str] = field(default_factory=lambda: dict(zip(PORTS, _free_ports(), strict=True)))
    environment: dict[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, page: Path) -> None:
        """Do what the page says. Raises ``AssertionError`` with the block that does not work."""
        for block in blocks_of(page):
            if block.language == "acted":
                getattr(journeys, block.text)(self)
            else:
                self.do(block)

    def do(self, block: Block) -> None:
        """One block."""
        text = self.local(block.text)
        if block.file is not None:
            (self.folder / block.file).write_text(text, "utf-8")
        elif "background" in block.words:
            self._start(block, text)
        elif "run" in block.words:
            {"sh": self._shell, "console": self._console, "python": self._python}[block.language](block, text)

    def local(self, text: str) -> str:
        """The text with ports that are free here."""
        return re.sub(r"\b(8080|8000)\b", lambda found: self.ports[found[1]], text)

    def _shown(self, text: str) -> str:
        for name, port in self.ports.items():
            text = text.replace(port, name)
        return text

    def _bash(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a command, and keep what it exports."""
        kept = self.folder / ".environment"
        script = f"set -euo pipefail\n{text}\npython - <<'.'\nimport os, json\n"
        script += f"open({str(kept)!r}, 'w').write(json.dumps(dict(os.environ)))\n.\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * WITHIN,
            check=False,
        )
        if done.returncode == 0:
            self.environment = json.loads(kept.read_text())
            kept.unlink()
        return done

    def _shell(self, block: Block, text: str) -> None:
        done = self._bash(text)
        assert done.returncode == 0, f"{block.where} failed ({done.returncode}):\n{text}\n{done.stdout}"

    def _console(self, block: Block, text: str) -> None:
        for command, expected in _commands(text):
            told = self._shown(self._bash(f"{command} || true").stdout)
            wanted = self._shown(expected)
            assert _matches(wanted, told), f"{block.where}: {command}\nprinted\n{told}\nand the page says\n{wanted}"

    def _python(self, block: Block, text: str) -> None:
        before = dict(os.environ)
        code = compile("\n" * (block.line - 1) + text, str(ROOT / block.page), "exec")
        try:
            os.environ.update(self._environ())
            with chdir(self.folder):
                exec(code, self.names)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def _start(self, block: Block, text: str) -> None:
        log = self.folder / f".background-{len(self._running)}.log"
        with log.open("wb") as told:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {text.strip()}"],
                cwd=self.folder,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        deadline = time.monotonic() + WITHIN
        while _READY not in log.read_text("utf-8"):
            assert process.poll() is None, f"{block.where} ended:\n{text}\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{block.where} does not say where it is:\n{log.read_text()}"
            time.sleep(0.05)

    def _environ(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("NIGHTLATCH_", "PROMETHEUS_"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return kept | {"HOME": str(self.folder), "PATH": path, "PYTHONUNBUFFERED": "1"} | self.environment

    def leave(self) -> None:
        """Stop what the page started."""
        for process in reversed(self._running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(WITHIN)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(WITHIN)


@contextmanager
def reading(folder: Path) -> Iterator[Reader]:
    """A reader, who leaves nothing running."""
    reader = Reader(folder)
    try:
        yield reader
    finally:
        reader.leave()


def _commands(text: str) -> list[tuple[str, str]]:
    """Each command of a console block, with what is printed after it."""
    commands: list[tuple[str, str]] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command += "\n" + next(lines).removeprefix("> ")
            commands.append((command, ""))
        else:
            command, printed = commands[-1]
            commands[-1] = (command, printed + line + "\n")
    return commands


def _matches(expected: str, told: str) -> bool:
    """Whether the lines are as the page shows them. `…` stands for anything, spaces at the end of lines for nothing."""
    pattern = ".*?".join(re.escape(part) for part in _trimmed(expected).split("…"))
    return re.fullmatch(pattern, _trimmed(told), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _free_ports() -> list[str]:
    found: set[str] = set()
    while len(found) < len(PORTS):
        found.add(str(free_port()))
    return list(found)
