"""The documentation does what it says: its blocks run, its links lead somewhere, and it names nothing that is not there."""

from __future__ import annotations

import ast
import doctest
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import nightlatch.embedded
import nightlatch.totp
from nightlatch import config
from nightlatch.app.context import SCOPES
from nightlatch.app.event_types import EVENT_TYPES
from nightlatch.web.app import endpoints_of
from nightlatch.web.common.metrics import Metrics
from nightlatch.web.settings import WebSettings
from tests.support.documents import EXECUTABLE, ROOT, Block, Reader, anchors_of, blocks_of, links_of, reading
from tools import reference

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md")])
FOLLOWED = [page for page in PAGES if any({"run", "background"} & set(block.words) for block in blocks_of(page))]
GUIDES = [page for page in PAGES if page.name == "README.md" or {"tutorials", "how-to"} & set(page.parts)]


WRITTEN_LAST = {ROOT / "docs" / "conformance.md"}
"""A whole run of the tests writes it (`make conformance`), so the first such run cannot find it."""


def named(page: Path) -> str:
    """What a page is called in the list of tests."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", FOLLOWED, ids=named)
def test_what_a_page_says_works(page: Path, tmp_path: Path) -> None:
    """From top to bottom, in an empty directory, against the server that the page itself starts."""
    with reading(tmp_path) as reader:
        reader.follow(page)


@pytest.mark.parametrize("page", GUIDES, ids=named)
def test_no_code_of_a_guide_is_left_out(page: Path) -> None:
    """Whatever a reader might copy runs, is a file for what runs, or says that it is shown only."""
    for block in blocks_of(page):
        if block.language in EXECUTABLE:
            assert block.file or {"run", "background", "shown"} & set(block.words), block.where
        if block.language == "python":
            ast.parse(block.text)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the repository, and to a heading that is there."""
    for link in links_of(page):
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() or target in WRITTEN_LAST, f"{named(page)} links to {link}"
        if anchor:
            assert anchor in anchors_of(target), f"{named(page)} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    """With its flags, in prose and in blocks."""
    for line in _commands_in(page.read_text("utf-8")):
        words = line.split()
        name = max((known for known in COMMANDS if words[: len(known.split())] == known.split()), key=len, default="")
        assert name, f"{named(page)}: {line}"
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert flags <= COMMANDS[name] | {"--help", "--version"}, f"{named(page)}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    """By the name of its variable; gateways have names of the operator's own. One page misspells one, to be refused."""
    known = {one.environment for one in config.reference()} | {"NIGHTLATCH_CONFIG", "NIGHTLATCH_PUBLC_URL"}
    options = {one.environment for kind in config.gateway_reference().values() for one in kind}
    named = set(re.findall(r"NIGHTLATCH_[A-Z_]*[A-Z]", page.read_text("utf-8"))) - {"NIGHTLATCH_SMS__NAME__OPTION"}
    assert {re.sub(r"(SMS__)[A-Z]+?(__)", r"\1NAME\2", one) for one in named if "SMS__" in one} <= options
    assert {one for one in named if "SMS__" not in one} <= known


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_route_and_event_that_a_page_names_exists(page: Path) -> None:
    """Paths of the API with their method, and types of audit events."""
    text = page.read_text("utf-8")
    every, _ = endpoints_of(WebSettings(public_url="http://localhost"), Metrics())
    routes = {(one.method, re.sub(r"{\w+}", "{}", one.path)) for one in every}
    for method, path in re.findall(r"(GET|POST|PUT|PATCH|DELETE) (/v1/[\w/{}.-]+)", text):
        assert (method, re.sub(r"{\w+}", "{}", path.rstrip("."))) in routes, f"{named(page)}: {method} {path}"
    things = "|".join(sorted({name.partition(":")[0] for name in EVENT_TYPES}))
    assert set(re.findall(rf"`((?:{things}):\w+)`", text)) <= {*EVENT_TYPES, *SCOPES}


def test_the_reference_is_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else: make docs."""
    monkeypatch.setattr(sys, "argv", ["tools/reference.py"])  # the usage of commands takes notice of the program's name
    for name, text in reference.pages().items():
        assert (reference.FOLDER / name).read_text("utf-8") == text, f"docs/reference/{name} is out of date: make docs"


@pytest.mark.parametrize("module", [nightlatch.totp, nightlatch.embedded], ids=["totp", "embedded"])
def test_examples_in_docstrings_work(module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader would try them, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(module)
    assert failed == 0
    assert tried > 0


@pytest.mark.parametrize(
    ("language", "text"), [("sh", "false"), ("console", "$ echo one\ntwo"), ("python", "assert 1 == 2")]
)
def test_a_reader_notices_what_is_wrong(language: str, text: str, tmp_path: Path) -> None:
    """A command that fails, prints something else, or code that raises."""
    with pytest.raises(AssertionError):
        Reader(tmp_path).do(Block("docs/README.md", 1, language, ("run",), text))


def _commands_in(text: str) -> list[str]:
    """What stands behind ``nightlatch`` in code, up to where the shell takes over."""
    joined = text.replace("\\\n", " ")
    blocks = re.findall(r"^```(?:sh|console)[^\n]*\n(.*?)^```", joined, re.MULTILINE | re.DOTALL)
    prose = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", joined, flags=re.MULTILINE | re.DOTALL))
    return re.findall(r"(?:^|[ $(])nightlatch ([a-z-][^|>#&;)`\n]*)", "\n".join([*blocks, *prose]))


def _documented() -> dict[str, set[str]]:
    """Every command with its flags, as the command line describes itself."""
    described: dict[str, set[str]] = {}
    for section in re.split(r"^#+ nightlatch ", reference.commands(), flags=re.MULTILINE)[1:]:
        described[section.partition("\n")[0].strip()] = set(re.findall(r"^\* `(--[\w-]+)", section, re.MULTILINE))
    return described | {"--help": set(), "--version": set()}


COMMANDS = _documented()
