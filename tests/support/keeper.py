"""Run one server for exactly as long as the test run that wanted it lives.

A run may end by kill -9 and a pytest-xdist worker may end before its siblings, so neither can be trusted to stop what
they share. This small process outlives both: it starts the server, watches the owner, and cleans up after it. It needs
only the standard library, since it also runs for benchmarks.

Usage: python keeper.py OWNER_PID USER_ID FOLDER COMMAND [ARGUMENT…]   (FOLDER is removed at the end)
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

LOOK_EVERY = 0.1
GRACE = 5.0


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(owner: int, user: int, folder: Path, command: list[str]) -> int:
    """Keep the command running until it ends, the owner is gone, or we are told to stop."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    try:
        server = launch(user, folder, command)
        (folder / "pid").write_text(str(server.pid), "ascii")
        while server.poll() is None and alive(owner) and not stopping:
            time.sleep(LOOK_EVERY)
        end(server)
    except OSError as error:
        (folder / "log").write_text(str(error), "utf-8")
    # Whoever waits for a server that ended by itself wants to read its log; the folder goes with the run.
    (folder / "ended").touch()
    while alive(owner) and not stopping:
        time.sleep(LOOK_EVERY)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def launch(user: int, folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    """Start the command as another user if we may, with its output in a file."""
    other = user if user != os.geteuid() else None
    groups = None if other is None else list[int]()
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=other, group=other, extra_groups=groups
        )


def end(server: subprocess.Popen[bytes]) -> None:
    """Stop the server if it still runs."""
    if server.poll() is not None:
        return
    # SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients to leave, as SIGTERM would.
    server.send_signal(signal.SIGINT)
    try:
        server.wait(GRACE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]))
