"""From nodes to values: each read notes what is wrong and goes on, so that one look finds every problem.

A read that fails returns a harmless stand-in, which nobody sees: ``load`` raises if there is any problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from nightlatch.domain.policy import durations
from nightlatch.domain.policy.problems import MAX_PROBLEMS, PolicyErrors, Problem, nearest, step
from nightlatch.domain.policy.tree import Keyed, Listed, Node, Scalar

W = TypeVar("W", bound=StrEnum)

MAX_NAME = 128
MOST_LOOKED_UP = 5
MOST_LOOKED_THROUGH = 2_000

_NOT_TEXT = re.compile(
    r"""(?ix) ~ | = | <<
    | null | true | false | yes | no | on | off | y | n
    | [-+]? ( [0-9][0-9_]* (\.[0-9_]*)? | \.[0-9_]+ ) ( e [-+]?[0-9]+ )?
    | [-+]? ( 0b[01_]+ | 0o?[0-7_]+ | 0x[0-9a-f_]+ )
    | [-+]? [0-9][0-9_]* (:[0-5]?[0-9])+ (\.[0-9_]*)?
    | [-+]? \.(inf|nan)
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} .*
    """
)
"""What YAML 1.1 or 1.2 takes for something other than text when it stands without quotes."""


def read_as_no_text(word: str) -> bool:
    """Whether some YAML reader takes this word, without quotes, for a number, a boolean, a time or nothing."""
    return _NOT_TEXT.fullmatch(word) is not None


class Place(msgspec.Struct, frozen=True):
    """A node and the pointer that leads to it."""

    node: Node
    pointer: str

    def down(self, name: str | int, node: Node) -> Place:
        """The place of something inside."""
        return Place(node, step(self.pointer, name))


class Reader:
    """Reads values and gathers problems. ``groups``: those that exist, or None where nobody knows."""

    def __init__(self, groups: Collection[str] | None) -> None:
        self.problems: list[Problem] = []
        self._groups = groups
        self._looked_up = 0

    def problem(self, place: Place, code: str, detail: str, near: str | None = None) -> None:
        """Note what is wrong at a place. Raises ``PolicyErrors`` once there is more than anybody would read."""
        self.problems.append(Problem(place.node.line, place.node.column, place.pointer, code, detail, near))
        if len(self.problems) >= MAX_PROBLEMS:
            raise PolicyErrors(self.problems)

    def mapping(self, place: Place) -> Place | None:
        """The place, if keys stand there."""
        if isinstance(place.node, Keyed):
            return place
        self.problem(place, "wrong_type", f"{_name(place)} must hold keys and values")
        return None

    def keys(self, place: Place | None, known: Collection[str], others: Mapping[str, tuple[str, str]]) -> None:
        """Refuse keys that are not known here; ``others`` gives a code and a sentence for some that are known to us."""
        if place is None:
            return
        for key, _ in _entries(place):
            if key.text in known:
                continue
            at = place.down(key.text, key)
            if key.text in others:
                self.problem(at, *others[key.text])
            else:
                self.problem(at, "unknown_key", f"There is no key {_cut(key.text)} here", nearest(key.text, known))

    def child(self, place: Place | None, name: str) -> Place | None:
        """The place under a key, if it is there."""
        if place is None or not isinstance(place.node, Keyed):
            return None
        node = place.node.get(name)
        return None if node is None else place.down(name, node)

    def items(self, place: Place) -> list[Place]:
        """The places of a list that must not be empty."""
        if not isinstance(place.node, Listed):
            self.problem(place, "wrong_type", f"{_name(place)} must be a list")
            return []
        if not place.node.items:
            self.problem(place, "empty_list", f"{_name(place)} is empty: name something or leave the key out")
        return [place.down(index, item) for index, item in enumerate(place.node.items)]

    def pairs(self, place: Place) -> Iterator[tuple[str, Place, Place]]:
        """Each key under a place as text, then the places of key and value."""
        for key, value in _entries(place):
            yield key.text, place.down(key.text, key), place.down(key.text, value)

    def boolean(self, place: Place | None, default: bool) -> bool:
        """``true`` or ``false`` without quotes; YAML 1.1 had more words for them, which tools read differently."""
        if place is None:
            return default
        node = place.node
        if isinstance(node, Scalar):
            if node.plain and node.text in {"true", "false"}:
                return node.text == "true"
            meant = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
            word = node.text.strip().casefold()
            near = meant.get(word) or nearest(word, ("true", "false"))
            self.problem(place, "wrong_type", f"{_name(place)} must be true or false, without quotes", near)
        else:
            self.problem(place, "wrong_type", f"{_name(place)} must be true or false")
        return default

    def integer(self, place: Place | None, low: int, high: int, default: int) -> int:
        """A whole number between bounds, both included."""
        if place is None:
            return default
        node = place.node
        if not isinstance(node, Scalar) or not node.plain or not re.fullmatch(r"0|-?[1-9][0-9]{0,8}", node.text):
            self.problem(place, "wrong_type", f"{_name(place)} must be a whole number")
            return default
        value = int(node.text)
        if not low <= value <= high:
            self.problem(place, "out_of_range", f"{_name(place)} must be between {low} and {high}")
        return value

    def duration(self, place: Place | None, low: int, high: int, default: int) -> int:
        """A duration between bounds, both included, in µs."""
        if place is None:
            return default
        if not isinstance(place.node, Scalar):
            self.problem(place, "wrong_type", f"{_name(place)} must be a duration like 30_days")
            return default
        try:
            value = durations.read(place.node.text)
        except durations.BadDuration as error:
            self.problem(place, "bad_duration", str(error), error.nearest)
            return default
        if not low <= value <= high:
            span = f"{durations.write(low)} and {durations.write(high)}"
            self.problem(place, "out_of_range", f"{_name(place)} must be between {span}")
        return value

    def word(self, place: Place | None, words: type[W], default: W) -> W:
        """One of the words of an enumeration."""
        if place is None:
            return default
        found = self._word(place, words)
        return default if found is None else found

    def words(self, place: Place | None, words: type[W], default: tuple[W, ...]) -> tuple[W, ...]:
        """A list of such words, each once."""
        if place is None:
            return default
        return tuple(word for item in self._distinct(place) if (word := self._word(item, words)) is not None)

    def names(self, place: Place | None, read: Callable[[Place], str]) -> tuple[str, ...]:
        """A list of names, each once; ``read`` checks one of them."""
        return () if place is None else tuple(read(item) for item in self._distinct(place))

    def group(self, place: Place) -> str:
        """The name of a group that exists."""
        name = self.name(place, "group")
        if name and self._groups is not None and name not in self._groups:
            self.problem(place, "unknown_group", f"There is no group {_cut(name)}", self._near_group(name))
        return name

    def _near_group(self, name: str) -> str | None:
        """The group that was perhaps meant. Looking through thousands takes a tenth of a second: only for the first."""
        self._looked_up += 1
        if self._looked_up > MOST_LOOKED_UP or self._groups is None or len(self._groups) > MOST_LOOKED_THROUGH:
            return None
        return nearest(name, self._groups)

    def action(self, place: Place) -> str:
        """The name of an action, as applications send it."""
        return self.name(place, "action")

    def name(self, place: Place, what: str) -> str:
        """A text that no version of YAML reads as anything else; empty where it is none."""
        node = place.node
        if not isinstance(node, Scalar) or not node.text:
            self.problem(place, "wrong_type", f"The name of a{'n' if what[0] in 'aeiou' else ''} {what} must be text")
            return ""
        if len(node.text) > MAX_NAME or not node.text.isprintable() or node.text != node.text.strip():
            self.problem(place, "bad_name", f"A name has 1 to {MAX_NAME} printable characters and no outer spaces")
            return ""
        if node.plain and read_as_no_text(node.text):
            self.problem(place, "ambiguous_text", f"Put {node.text} in quotes: some tools read it as no text")
            return ""
        return node.text

    def _word(self, place: Place, words: type[W]) -> W | None:
        node = place.node
        valid = [word.value for word in words]
        if not isinstance(node, Scalar):
            self.problem(place, "wrong_type", f"{_name(place)} must be one of: {', '.join(valid)}")
            return None
        if node.text in valid:
            return words(node.text)
        detail = f"{_cut(node.text) or 'Nothing'} is none of: {', '.join(valid)}"
        self.problem(place, "unknown_value", detail, nearest(node.text, valid))
        return None

    def _distinct(self, place: Place) -> list[Place]:
        seen: set[str] = set()
        distinct = []
        for item in self.items(place):
            text = item.node.text if isinstance(item.node, Scalar) else None
            if text is not None and text in seen:
                self.problem(item, "duplicate_value", f"{_cut(text)} is named twice")
                continue
            if text is not None:
                seen.add(text)
            distinct.append(item)
        return distinct


def _entries(place: Place) -> list[tuple[Scalar, Node]]:
    return place.node.entries if isinstance(place.node, Keyed) else []


def _name(place: Place) -> str:
    steps = [part.replace("~1", "/").replace("~0", "~") for part in place.pointer.split("/")[1:]]
    if not steps:
        return "The document"
    # An item of a list goes by the name of its list.
    return f"An item of {_cut(steps[-2])}" if steps[-1].isdigit() and len(steps) > 1 else _cut(steps[-1])


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
