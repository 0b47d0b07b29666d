"""Start a server under the keeper, wait until it answers, stop it."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534
READY_WITHIN = 30.0


class DidNotStart(Exception):
    """A server ended, or did not answer in time; the message holds its log."""


@dataclass(frozen=True)
class Kept:
    """A server that runs under a keeper, which removes `folder` when it stops."""

    keeper: int
    folder: Path

    def stop(self) -> None:
        """Stop the server and wait until its folder is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.keeper, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while self.folder.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        with suppress(ChildProcessError):
            os.waitpid(self.keeper, 0)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server itself, such as SIGSTOP for a database that hangs or SIGKILL for a crash."""
        os.kill(int((self.folder / "pid").read_text("ascii")), number)


def service_user() -> int:
    """The user that servers run as: PostgreSQL refuses root."""
    return NOBODY if os.geteuid() == 0 else os.geteuid()


def new_folder(name: str) -> Path:
    """A new folder that belongs to the service user."""
    folder = Path(tempfile.mkdtemp(prefix=f"nightlatch-{name}-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago.

    It lies below those that systems hand out: until it is used, and while its server is down, nobody else gets it.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def keep(command: Sequence[str | Path], folder: Path, *, owner: int, ready: Callable[[], bool]) -> Kept:
    """Run a command under a keeper for as long as `owner` lives; return when `ready` says so.

    Raises DidNotStart when the command ends first or is not ready within 30 s.
    """
    keeper = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("keeper.py")), str(owner), str(service_user()), str(folder)]
        + [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal is for the run, which ends us in order
    )
    # Whoever started the keeper need not be the one who stops it, so nobody holds the Popen: see Kept.stop.
    keeper.returncode = 0
    kept = Kept(keeper.pid, folder)
    deadline = time.monotonic() + READY_WITHIN
    while not ready():
        if (folder / "ended").exists() or time.monotonic() > deadline:
            log = folder / "log"
            said = log.read_text("utf-8", "replace") if log.exists() else ""
            kept.stop()
            raise DidNotStart(f"{command[0]}: {said or 'did not answer in time'}")
        time.sleep(0.02)
    return kept
