"""Which requirement is proved by which test: the mark `requirement`, and `--conformance FILE` that writes it down.

The requirements stand in docs/requirements.toml. A mark that names none of them fails its test, so that a typing error
cannot make a requirement look proved.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

CATALOG = Path(__file__).parents[2] / "docs" / "requirements.toml"
PROPERTY = "requirement"
MARK = "requirement"

HEADING = """\
# Conformance

Written by `make conformance` from the marks of the tests and their results; do not edit. *Holds* means that every
test which bears the requirement's mark passed; the tests tell how far they go. *Open* means that no test bears it yet:
what it is about is not built, or is built and not yet proved."""
SOURCES = """\
Sources: N is NIST SP 800-63B-4 (2025), A is OWASP ASVS 5.0, C is the OWASP MFA cheat sheet, W is WebAuthn Level 3."""


@dataclass(frozen=True)
class Requirement:
    """One line of the catalog: what must hold, in our words, and who says so."""

    id: str
    chapter: str
    text: str
    source: str


@dataclass
class Evidence:
    """What a run showed of one requirement: each test function and whether all its cases passed."""

    tests: dict[str, bool] = field(default_factory=dict)

    def add(self, test: str, passed: bool) -> None:
        """Count one case; a test holds only if each of its cases does."""
        self.tests[test] = self.tests.get(test, True) and passed

    @property
    def result(self) -> str:
        """One word for the table."""
        if not self.tests:
            return "open"
        return "holds" if all(self.tests.values()) else "FAILS"


@cache
def load_catalog(path: Path = CATALOG) -> dict[str, Requirement]:
    """The requirements by id, in the order of the file."""
    chapters = tomllib.loads(path.read_text("utf-8"))
    return {
        id_: Requirement(id_, chapter, entry["text"], entry.get("source", "ours"))
        for chapter, entries in chapters.items()
        for id_, entry in entries.items()
    }


def render(catalog: Mapping[str, Requirement], evidence: Mapping[str, Evidence]) -> str:
    """docs/conformance.md: a table a chapter, every requirement in it, proved or open."""
    results = [evidence.get(id_, Evidence()).result for id_ in catalog]
    counted = f"{results.count('holds')} hold, {results.count('FAILS')} fail, {results.count('open')} are open"
    lines = [HEADING, "", f"{len(results)} requirements: {counted}.", "", SOURCES]
    chapter = ""
    for requirement in catalog.values():
        if requirement.chapter != chapter:
            chapter = requirement.chapter
            lines += [
                "",
                f"## {chapter}",
                "",
                "| id | requirement | source | tests | result |",
                "|---|---|---|---|---|",
            ]
        lines.append(_row(requirement, evidence.get(requirement.id, Evidence())))
    return "\n".join(lines) + "\n"


def _row(requirement: Requirement, evidence: Evidence) -> str:
    tests = "<br>".join(f"`{test}`" for test in sorted(evidence.tests))
    cells = (requirement.id, requirement.text, requirement.source, tests, evidence.result)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


class Collector:
    """Gathers evidence in the controlling process and writes it at the end."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.evidence: dict[str, Evidence] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a case when it was called, and again if its setup or teardown failed."""
        if report.when != "call" and report.passed:
            return
        test = report.nodeid.partition("[")[0]
        for name, value in report.user_properties:
            if name == PROPERTY:
                self.evidence.setdefault(str(value), Evidence()).add(test, report.passed)

    def pytest_sessionfinish(self) -> None:
        """Write the document."""
        self.target.write_text(render(load_catalog(), self.evidence), "utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--conformance FILE`."""
    parser.addoption("--conformance", type=Path, metavar="FILE", help="write which requirement is proved by which test")


def pytest_configure(config: pytest.Config) -> None:
    """Collect only in the controlling process: reports of all workers arrive there."""
    target: Path | None = config.getoption("conformance")
    if target is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Collector(target))


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Turn marks into properties of the report, which pytest-xdist carries to the controller."""
    for item in items:
        item.user_properties += [(PROPERTY, id_) for id_ in _marked(item)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose mark names no requirement."""
    if unknown := [id_ for id_ in _marked(item) if id_ not in load_catalog()]:
        pytest.fail(f"no requirement {', '.join(unknown)} in docs/requirements.toml", pytrace=False)


def _marked(item: pytest.Item) -> list[str]:
    return sorted({str(id_) for mark in item.iter_markers(MARK) for id_ in mark.args})
