"""One test run, whatever number of pytest-xdist workers it has: its owner, its folder, what it makes once."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

# Not NIGHTLATCH_…: the server under test refuses settings that it does not know.
FOLDER = "TEST_RUN_FOLDER"
OWNER = "TEST_RUN_OWNER"


def begin() -> None:
    """Called by the controlling process before its workers start; they inherit the environment."""
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="nightlatch-run-")
    os.environ[OWNER] = str(os.getpid())


def end() -> None:
    """Called by the controlling process at its end."""
    shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True)
    del os.environ[OWNER]


def owner() -> int:
    """The process whose end is the end of the run: pytest's controller, or whoever uses these helpers by itself."""
    return int(os.environ.get(OWNER, os.getpid()))


def once(name: str, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What `make` returned to the first worker that asked; the others wait for it."""
    folder = Path(os.environ[FOLDER])
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = folder / f"{name}.json"
        if not made.exists():
            made.write_text(json.dumps(make()), "utf-8")
        answer: dict[str, str] = json.loads(made.read_text("utf-8"))
        return answer
