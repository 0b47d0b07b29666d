"""YAML or JSON text as a tree that remembers where everything stood.

We build from the parser's events instead of letting a YAML library construct values. So no tag makes an object, no
alias makes a billion laughs, no key disappears behind its duplicate, and no word turns into a boolean before we know
what was expected at its place. Nothing here recurses, and size and depth are bounded before they cost anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from nightlatch.domain.policy.problems import PolicyErrors, Problem, step

MAX_CHARACTERS = 128 * 1024
MAX_NODES = 10_000
MAX_DEPTH = 16
MAX_KEY = 256


class Scalar(msgspec.Struct, frozen=True):
    """A word. ``plain``: it stood without quotes, so it may stand for something other than text."""

    line: int
    column: int
    text: str
    plain: bool


class Listed(msgspec.Struct, frozen=True):
    """A list."""

    line: int
    column: int
    items: list[Node]


class Keyed(msgspec.Struct, frozen=True):
    """Keys and their values, in the order of the text."""

    line: int
    column: int
    entries: list[tuple[Scalar, Node]]

    def get(self, name: str) -> Node | None:
        """The value under this key."""
        return next((value for key, value in self.entries if key.text == name), None)


Node = Scalar | Listed | Keyed


def parse(text: str) -> Node:
    """Read one document. Raises ``PolicyErrors``, and nothing else, for whatever is no plain YAML 1.2 or JSON tree."""
    if len(text) > MAX_CHARACTERS:
        _refuse(1, 1, "", "too_large", f"A policy document has at most {MAX_CHARACTERS} characters")
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        # Tabs between tokens are JSON but not YAML; inside its strings JSON has none.
        text = text.replace("\t", " ")
    builder = _Builder()
    for event in _events(text):
        builder.take(event)
    if builder.problems:
        raise PolicyErrors(builder.problems)
    if builder.root is None:
        _refuse(1, 1, "", "empty_document", "The document is empty")
    return builder.root


def _refuse(line: int, column: int, pointer: str, code: str, detail: str) -> NoReturn:
    raise PolicyErrors([Problem(line, column, pointer, code, detail)])


def _events(text: str) -> Iterator[Any]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        _refuse(line, column, "", "syntax", f"This is not YAML: {error.problem or error.context}")
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        _refuse(line, column, "", "syntax", "A control character cannot stand in a policy document")
    except (YAMLError, ValueError, OverflowError, IndexError) as error:
        # The scanner lets a few broken escapes and directives through to Python's own conversions.
        _refuse(1, 1, "", "syntax", f"This is not YAML: {error}")


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, node: Listed | Keyed, pointer: str) -> None:
        self.node = node
        self.pointer = pointer
        self.key: Scalar | None = None
        self.seen: set[str] = set()

    def place(self) -> str:
        """The pointer of the value that comes next."""
        if isinstance(self.node, Listed):
            return step(self.pointer, len(self.node.items))
        return self.pointer if self.key is None else step(self.pointer, self.key.text)


class _Builder:
    """Turns events into nodes, and notes what we do not take."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._stack: list[_Open] = []
        self._documents = 0
        self._nodes = 0

    def take(self, event: Any) -> None:
        match event:
            case DocumentStartEvent():
                self._document(event)
            case AliasEvent():
                # There is nothing to put in its place: go no further.
                self._problem(event, "alias", "Aliases (*name) are not taken: write the value where it holds")
                raise PolicyErrors(self.problems)
            case NodeEvent():
                self._node(event)
            case MappingEndEvent() | SequenceEndEvent():
                self._stack.pop()

    def _document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self._problem(event, "many_documents", "Only one document is taken; a second begins here")
            raise PolicyErrors(self.problems)
        if event.version or event.tags:
            self._problem(event, "directive", "Directives (%YAML, %TAG) are not taken")

    def _node(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            _refuse(*_mark(event), self._pointer(), "too_large", f"A policy document has at most {MAX_NODES} values")
        if event.anchor is not None:
            self._problem(event, "anchor", "Anchors (&name) are not taken")
        if event.tag is not None and str(event.tag) != "!":
            self._problem(event, "tag", f"Tags ({str(event.tag)[:MAX_KEY]}) are not taken")
        line, column = _mark(event)
        if isinstance(event, ScalarEvent):
            self._add(Scalar(line, column, self._text(event), event.style is None and event.tag is None))
            return
        pointer = self._pointer()
        opened: Listed | Keyed
        opened = Keyed(line, column, []) if isinstance(event, MappingStartEvent) else Listed(line, column, [])
        if isinstance(event, SequenceStartEvent | MappingStartEvent) and len(self._stack) >= MAX_DEPTH:
            _refuse(line, column, pointer, "too_deep", f"More than {MAX_DEPTH} levels of nesting")
        self._add(opened)
        self._stack.append(_Open(opened, pointer))

    def _text(self, event: ScalarEvent) -> str:
        value = str(event.value)
        if value.isascii():
            return value
        try:
            # JSON writes characters beyond U+FFFF as two escapes.
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self._problem(event, "syntax", "Half a surrogate pair is no character")
            return ""

    def _add(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        if isinstance(top.node, Listed):
            top.node.items.append(node)
        elif top.key is None:
            top.key = self._key(top, node)
        else:
            if isinstance(node, Scalar) and node.plain and not node.text:
                # The parser finds a missing value where the next thing begins; people look for it at its key.
                node = Scalar(top.key.line, top.key.column, node.text, node.plain)
            top.node.entries.append((top.key, node))
            top.key = None

    def _key(self, top: _Open, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            _refuse(node.line, node.column, top.pointer, "key_not_text", "A key must be a word")
        if len(node.text) > MAX_KEY:
            _refuse(node.line, node.column, top.pointer, "too_large", f"A key has at most {MAX_KEY} characters")
        if node.text in top.seen:
            detail = f"The key {node.text} stands here twice"
            pointer = step(top.pointer, node.text)
            self.problems.append(Problem(node.line, node.column, pointer, "duplicate_key", detail))
        top.seen.add(node.text)
        return node

    def _pointer(self) -> str:
        return self._stack[-1].place() if self._stack else ""

    def _problem(self, event: Any, code: str, detail: str) -> None:
        self.problems.append(Problem(*_mark(event), self._pointer(), code, detail))


def _mark(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1
