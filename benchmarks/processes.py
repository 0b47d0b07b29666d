"""Programs that a measurement starts: started, watched, and always stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

READY_WITHIN = 60.0
STOP_WITHIN = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A program of the benchmark did not do its part; the text ends with what it said."""


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Run a server until the block ends; the value is its process id. Raises ``Failed`` with its log."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=None if env is None else dict(env),
            start_new_session=True,
        )
    try:
        wait_until(ready, server, log)
        yield server.pid
    finally:
        stop(server)


def wait_until(ready: Callable[[], bool], server: subprocess.Popen[bytes], log: Path) -> None:
    """Look every few milliseconds, at most a minute."""
    deadline = time.monotonic() + READY_WITHIN
    while not ready():
        if server.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"{server.args!r} did not start:\n{log.read_text('utf-8', 'replace')[-4000:]}")
        time.sleep(0.005)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server and, if it does not listen, the group of processes that it made."""
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(STOP_WITHIN)


def run(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, limit: float = 600.0) -> str:
    """Run a program to its end and return what it printed. Raises ``Failed``."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
        stdin=subprocess.DEVNULL,
        env=None if env is None else dict(env),
    )
    if done.returncode:
        raise Failed(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def family(pid: int) -> list[int]:
    """A process and all that descend from it and still run."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that these used so far, with that of children that ended."""
    total = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            total += sum(int(part) for part in fields[11:15])
    return total / _TICKS


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and proportional set size in MB (10^6 bytes)."""
    sizes = {"Rss": 0, "Pss": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in sizes:
            sizes[name] = int(rest.split()[0]) * 1024
    return sizes["Rss"] / 1e6, sizes["Pss"] / 1e6


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5)); the name before it may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
