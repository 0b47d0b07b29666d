"""Root plumbing only: the run, the requirement marks, the fixtures that start real servers."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import run

pytest_plugins = (
    "tests.support.conformance",
    "tests.support.fixtures",
    "tests.support.databases",
    "tests.support.server",
    "tests.support.work",
)

# Wall-clock deadlines measure the machine's other work. What lands is decided on the same examples each time; whoever
# runs the tests by hand explores new ones.
settings.register_profile("nightlatch", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("nightlatch")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures FOLDER`: where tests with the mark `pictures` leave what they saw."""
    parser.addoption("--pictures", type=Path, metavar="FOLDER", help="write pictures of pages into FOLDER")


def pytest_configure(config: pytest.Config) -> None:
    """Begin the run in the controlling process; workers find it in the environment."""
    if not is_worker(config):
        run.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run; servers that are still there end with this process."""
    if not is_worker(config) and run.FOLDER in os.environ:
        run.end()


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of pytest-xdist's workers."""
    return hasattr(config, "workerinput")


@pytest.fixture(scope="session")
def pictures(request: pytest.FixtureRequest) -> Path | None:
    """The folder of `--pictures`, made; None when nobody asked for pictures."""
    folder: Path | None = request.config.getoption("pictures")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder
