"""What of YAML is not taken, and what a hostile text can cost."""

from __future__ import annotations

import pytest

from nightlatch.domain.policy.problems import PolicyErrors, Problem
from nightlatch.domain.policy.tree import MAX_CHARACTERS, Keyed, Scalar, parse


def problem(text: str) -> Problem:
    """The first thing that is wrong with a text."""
    with pytest.raises(PolicyErrors) as refused:
        parse(text)
    return refused.value.problems[0]


@pytest.mark.parametrize(
    ("text", "line", "column", "pointer", "code"),
    [
        ("a: &x 1\n", 1, 4, "/a", "anchor"),
        ("a: *x\n", 1, 4, "/a", "alias"),
        ("a: 1\n<<: *x\n", 2, 5, "/<<", "alias"),
        ("a: !!python/object:os.system 1\n", 1, 4, "/a", "tag"),
        ("a: !!str yes\n", 1, 4, "/a", "tag"),
        ("a:\n  - !x {}\n", 2, 5, "/a/0", "tag"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "/a", "duplicate_key"),
        ("a: {b: 1, 'b': 2}\n", 1, 11, "/a/b", "duplicate_key"),
        ("x/y~z: {b: 1, b: 2}\n", 1, 15, "/x~1y~0z/b", "duplicate_key"),
        ("? [a]\n: b\n", 1, 3, "", "key_not_text"),
        ("a: 1\n---\nb: 1\n", 2, 1, "", "many_documents"),
        ("%YAML 1.1\n---\na: no\n", 2, 1, "", "directive"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", 2, 1, "", "directive"),
        ("a: [1\n", 2, 1, "", "syntax"),
        ("a:\n\t- 1\n", 2, 1, "", "syntax"),
        ("a: 1\nb: \x07\n", 2, 4, "", "syntax"),
        ('a: "\\ud83d"\n', 1, 4, "/a", "syntax"),
        ('a: "\\UFFFFFFFF"\n', 1, 1, "", "syntax"),
        (f"{'k' * 257}: 1\n", 1, 1, "", "too_large"),
        ("", 1, 1, "", "empty_document"),
    ],
)
def test_what_is_not_taken(text: str, line: int, column: int, pointer: str, code: str) -> None:
    """Each with the place where it stands."""
    found = problem(text)
    assert (found.line, found.column, found.pointer, found.code) == (line, column, pointer, code)


def test_words_stay_words() -> None:
    """Nothing turns into a boolean, a number or a time before we know what belongs there."""
    tree = parse("a: no\nb: 1:30\nc: 0x10\nd: 'no'\ne: \"x\"\n")
    assert isinstance(tree, Keyed)
    values = [value for _, value in tree.entries if isinstance(value, Scalar)]
    assert [(value.text, value.plain) for value in values] == [
        ("no", True),
        ("1:30", True),
        ("0x10", True),
        ("no", False),
        ("x", False),
    ]


def test_a_missing_value_is_looked_for_at_its_key() -> None:
    """The parser finds it on the next line."""
    tree = parse("a: 1\nbc:\n\n\nd: 1\n")
    assert isinstance(tree, Keyed)
    missing = tree.get("bc")
    assert missing is not None
    assert (missing.line, missing.column) == (2, 1)


BILLION_LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{name}: &{name} [*{last}, *{last}, *{last}, *{last}]\n" for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (BILLION_LAUGHS, {"anchor", "alias"}),
        ("[" * MAX_CHARACTERS, {"too_deep"}),
        ("{a: " * (MAX_CHARACTERS // 4), {"too_deep"}),
        ("- " * (MAX_CHARACTERS // 2), {"too_deep"}),
        ("? " * (MAX_CHARACTERS // 2), {"too_deep", "key_not_text"}),
        ("[" + "a," * 50_000, {"too_large"}),
        ("a" * (MAX_CHARACTERS + 1), {"too_large"}),
        ("a: b\n" * 10_000, {"too_large"}),
    ],
    ids=["laughs", "lists", "maps", "dashes", "keys", "values", "characters", "duplicates"],
)
def test_a_hostile_text_is_refused_before_it_costs_anything(text: str, codes: set[str]) -> None:
    """Nothing recurses, and depth, values and characters are bounded."""
    with pytest.raises(PolicyErrors) as refused:
        parse(text)
    assert {problem.code for problem in refused.value.problems} <= codes
