"""Nightlatch as people install it: the command in processes of its own, on a database of its own."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from nightlatch.cli.main import run

WITHIN = 60.0
"""Seconds: a busy machine takes its time to start Python."""

_ADDRESS = re.compile(r"Nightlatch is at (http://localhost:\d+)")


@dataclass(frozen=True)
class Installation:
    """A data directory and a database; ``environ`` comes on top of an environment without ours."""

    folder: Path
    database: str | None = None
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def key_file(self) -> Path:
        """Where the key file is, or will be."""
        return self.folder / "nightlatch.key"

    def environment(self) -> dict[str, str]:
        """What the command sees."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("NIGHTLATCH_", "PROMETHEUS_"))}
        ours = {"NIGHTLATCH_DATA_DIR": str(self.folder), "XDG_DATA_HOME": str(self.folder / "home")}
        if self.database is not None:
            ours["NIGHTLATCH_DATABASE_URL"] = self.database
        return kept | ours | self.environ

    def start(self, *arguments: str, log: Path | None = None) -> subprocess.Popen[str]:
        """Start the command and leave it running; standard error goes to ``log``."""
        stderr = log.open("w") if log is not None else subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-m", "nightlatch", *arguments],
            env=self.environment(),
            cwd=self.folder.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def run(self, *arguments: str) -> Ran:
        """Run a command to its end, within this process: Python takes longer to start than most commands to run."""
        out, err = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update(self.environment())
            with chdir(self.folder.parent), redirect_stdout(out), redirect_stderr(err):
                code = run(arguments)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Ran(code, out.getvalue(), err.getvalue())

    def run_apart(self, *arguments: str) -> Ran:
        """Run the command to its end as people do, in a process of its own."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=WITHIN * 2)
        return Ran(process.returncode, out, err)

    def made(self, *arguments: str) -> Any:
        """What the command answers as JSON; it must not fail."""
        done = self.run(*arguments, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[Server]:
        """A server that answers; it is stopped at the end, and killed where that takes too long."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        log = self.folder.parent / f"serve-{time.monotonic_ns()}.log"
        process = self.start("serve", "--port", "0", *arguments, log=log)
        server = Server(process, log)
        try:
            server.wait()
            yield server
        finally:
            server.stop()


@dataclass(frozen=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str


@dataclass
class Server:
    """A running server and all its processes."""

    process: subprocess.Popen[str]
    log: Path
    url: str = ""

    def wait(self) -> None:
        """Until it answers that it is ready. Raises with its log when it ends first."""
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if found := _ADDRESS.search(self.log.read_text()):
                self.url = found[1]
                if _ready(self.url):
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server did not start ({self.process.poll()}):\n{self.log.read_text()}")

    def workers(self) -> list[int]:
        """The processes that serve, besides Python's own helper."""
        return [pid for pid in children(self.process.pid) if b"resource_tracker" not in command_of(pid)]

    def kill(self) -> None:
        """What a power cut does: every process at once, with no time for anything."""
        everybody = [self.process.pid, *children(self.process.pid)]
        for pid in everybody:
            kill(pid)
        self.process.wait(WITHIN)
        assert gone(everybody)

    def stop(self) -> int:
        """Stop in order; the exit code."""
        if self.process.poll() is None:
            below = children(self.process.pid)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(WITHIN)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(WITHIN)
            if not gone(below, within=5):
                for pid in below:
                    kill(pid)
        return self.process.returncode


def children(parent: int) -> list[int]:
    """The processes that this one started and that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, ppid = path.read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.append(int(path.parent.name))
    return sorted(found)


def command_of(pid: int) -> bytes:
    """The command line; empty when the process has gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def kill(pid: int) -> None:
    """SIGKILL to a process of ours."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def gone(pids: list[int], *, within: float = WITHIN) -> bool:
    """Whether all of them end in time; a zombie has ended."""
    deadline = time.monotonic() + within
    while any(command_of(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _ready(url: str) -> bool:
    try:
        return httpx.get(url + "/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
