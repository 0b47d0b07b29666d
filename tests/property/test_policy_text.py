"""Whatever the text, the loader gives a document or tells what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightlatch.domain.policy.compare import weakens
from nightlatch.domain.policy.compiled import compile_policy
from nightlatch.domain.policy.describe import to_plain, to_yaml
from nightlatch.domain.policy.document import PolicyDocument
from nightlatch.domain.policy.durations import BadDuration, read, write
from nightlatch.domain.policy.lint import advise
from nightlatch.domain.policy.loader import load
from nightlatch.domain.policy.problems import PolicyErrors
from nightlatch.domain.time import SECOND

ARTICLE = """\
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  exclude_service_accounts: true
  risk_based_prompting:
    - new_device: prompt_mfa
    - sensitive_action: require_mfa
assurance: {default: aal2, minimum_for_groups: {"no": phr}}
factors: {allowed: [webauthn, totp, backup_codes, sms], sms: {only_with_alternative: true}}
report_only: {mfa_enforcement: {groups: [staff]}}
"""
PIECES = (
    *("mfa_enforcement", "all_users", "groups", "grace_period", "report_only", "factors", "allowed", "rules"),
    *(": ", ":\n  ", ":\n", "- ", "\n", "\n  ", " ", "\t", ", ", "[", "]", "{", "}", "? ", "| ", "> ", "# "),
    *("---", "...", "&a ", "*a", "!!int ", "!x ", "<<", "%YAML 1.1", "%TAG", "'", '"', "-", "@", "`", "~"),
    *("\\u12", "\\UFFFFFFFF", "\\xZZ", "\\ud83d", "\u2028", "\x85", "\ufeff", "\0"),
    *("true", "no", "30_days", "P30D", "1e999", "12:30:45", "0o17"),
)
GROUPS = st.lists(
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=9), min_size=1, unique=True
)
LEVELS = st.sampled_from(["aal1", "aal2", "phr", "phrh"])
KINDS = ["totp", "hotp", "sms", "push", "webauthn", "backup_codes"]


def durations(low: int, high: int) -> st.SearchStrategy[str]:
    """Durations between bounds, in seconds, as they are written."""
    return st.integers(low, high).map(lambda seconds: write(seconds * SECOND))


LEVELS_OF_GROUPS = st.dictionaries(GROUPS.map(lambda names: names[0]), LEVELS)
CONDITIONS = st.dictionaries(
    st.sampled_from(["new_device", "new_location", "sensitive_action"]),
    st.sampled_from(["prompt_mfa", "require_mfa"]),
    min_size=1,
)
ENFORCEMENT = st.fixed_dictionaries(
    {"grace_period": durations(0, 365 * 86400), "exclude_service_accounts": st.booleans()}
)
WHO = st.booleans().map(lambda value: {"all_users": value}) | GROUPS.map(lambda names: {"groups": names})
OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "risk_based_prompting": CONDITIONS.map(lambda found: [{name: effect} for name, effect in found.items()]),
    "assurance": st.fixed_dictionaries({}, optional={"default": LEVELS, "minimum_for_groups": LEVELS_OF_GROUPS}),
    "factors": st.fixed_dictionaries({"allowed": st.lists(st.sampled_from(KINDS), min_size=1, unique=True)}),
    "remember_device": st.fixed_dictionaries({"for": durations(60, 90 * 86400)}, optional={"groups_except": GROUPS}),
    "first_factor": st.fixed_dictionaries(
        {"confirm": st.sampled_from(["none", "verified_address", "invitation"]), "hold": durations(0, 86400)}
    ),
    "sensitive_actions": GROUPS,
    "recovery": st.fixed_dictionaries(
        {
            "backup_codes": st.integers(1, 32),
            "recovery_timeout": durations(600, 30 * 86400),
            "cooling_off": durations(0, 30 * 86400),
        }
    ),
}


def trees(*, beside: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Documents as JSON trees: every key valid by itself, not every combination possible."""
    required = {"mfa_enforcement": st.builds(lambda rest, who: rest | who, ENFORCEMENT, WHO)}
    optional = OPTIONAL if beside else OPTIONAL | {"report_only": trees(beside=True)}
    return st.fixed_dictionaries(required, optional=optional)


def loaded(text: str) -> PolicyDocument | None:
    """The document; None when the loader refused it as it should, each problem inside the text."""
    try:
        return load(text)
    except PolicyErrors as error:
        problems = error.problems
    lines = sum(text.count(end) for end in "\n\r\x85\u2028") + 2
    assert problems
    assert all(1 <= problem.line <= lines and problem.column >= 1 and problem.detail for problem in problems)
    return None


@settings(max_examples=400, deadline=None)
@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example("a: |1\n b")
@example('"\\UFFFFFFFF"')
@example("%YAML 99999999999999999999.1\n---\na")
@example("%YAML 1.1\n")
@example("? ? ? a")
@example("\ufeff")
@example("- - - - - - - - - - - - - - - - - - - -")
@example("a: >\n\n\n  b\n c")
@example("'" * 9)
def test_no_text_breaks_the_loader(text: str) -> None:
    """It raises PolicyErrors or nothing."""
    loaded(text)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_slip_in_a_good_document_breaks_the_loader(data: st.DataObject) -> None:
    """A piece is cut out, and another put in its place."""
    text = ARTICLE
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=4) | st.just("")) + text[end:]
    loaded(text)


@settings(max_examples=200, deadline=None)
@given(trees(), st.booleans())
def test_a_document_survives_its_normal_form(tree: dict[str, Any], escaped: bool) -> None:
    """In YAML and in JSON; it compiles, weakens nothing against itself, and can be given advice on."""
    document = loaded(json.dumps(tree, ensure_ascii=escaped))
    if document is None:
        return
    assert load(to_yaml(document)) == document
    assert load(json.dumps(to_plain(document))) == document
    assert compile_policy(document, 3).document == document
    assert weakens(document, document) == []
    advise(document)


@given(st.integers(0, 10**9 - 1))
def test_every_duration_that_is_written_is_read_back(seconds: int) -> None:
    """To the second."""
    assert read(write(seconds * SECOND)) == seconds * SECOND


@given(st.text() | st.from_regex(r"P[0-9WDTHMS]{0,12}|[0-9]{0,12}[_ ]?[a-z]{0,9}"))
def test_no_text_breaks_the_reading_of_durations(text: str) -> None:
    """It is one or it is refused, and is never negative or endless."""
    try:
        duration = read(text)
    except BadDuration:
        return
    assert 0 <= duration < 10**22
