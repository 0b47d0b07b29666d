"""A policy document loads whole, or says everything that is wrong with it and where."""

from __future__ import annotations

import json

import pytest

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.policy.defaults import DEFAULT_TEXT, default_policy
from nightlatch.domain.policy.document import (
    AssuranceLevels,
    Condition,
    Confirm,
    Enforcement,
    Factors,
    FirstFactor,
    GroupMinimum,
    PolicyDocument,
    Prompt,
    Recovery,
    RememberDevice,
)
from nightlatch.domain.policy.loader import load
from nightlatch.domain.policy.problems import PolicyErrors, Problem
from nightlatch.domain.time import DAY, HOUR

ARTICLE = """\
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  exclude_service_accounts: true
  risk_based_prompting:
    - new_device: prompt_mfa
    - new_location: prompt_mfa
    - sensitive_action: require_mfa
  recovery:
    backup_codes: 10
    admin_recovery: verify_with_id
    recovery_timeout: 24_hours
"""
ARTICLE_BESIDE = """\
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  exclude_service_accounts: true
risk_based_prompting:
  - new_device: prompt_mfa
  - new_location: prompt_mfa
  - sensitive_action: require_mfa
recovery:
  backup_codes: 10
  admin_recovery: "verify_with_id"
  recovery_timeout: 24_hours
"""
PROMPTING = "/risk_based_prompting"
EVERYONE = "mfa_enforcement: {all_users: true}\n"


def problems(text: str, groups: list[str] | None = None) -> tuple[Problem, ...]:
    """What is wrong with a document."""
    with pytest.raises(PolicyErrors) as refused:
        load(text, groups_known=groups)
    return refused.value.problems


def only(text: str, groups: list[str] | None = None) -> tuple[int, int, str, str, str | None]:
    """Line, column, pointer, code and nearest word of a document's single problem."""
    found = problems(text, groups)
    assert len(found) == 1, found
    problem = found[0]
    return problem.line, problem.column, problem.pointer, problem.code, problem.nearest


@pytest.mark.parametrize("text", [ARTICLE, ARTICLE_BESIDE], ids=["nested", "beside"])
def test_the_article_loads_as_it_stands(text: str) -> None:
    """Both nestings, and both mean the same."""
    document = load(text)
    assert document == load(ARTICLE)
    assert document.mfa_enforcement == Enforcement(
        all_users=True, groups=(), grace_period=30 * DAY, exclude_service_accounts=True
    )
    assert [document.effect_of(condition) for condition in Condition] == [
        Prompt.PROMPT_MFA,
        Prompt.PROMPT_MFA,
        Prompt.REQUIRE_MFA,
    ]
    assert document.recovery == Recovery(backup_codes=10, timeout=24 * HOUR, cooling_off=24 * HOUR)
    assert document.report_only is None


def test_everything_that_we_add_loads() -> None:
    """Each key with a value that is not its default."""
    document = load(
        ARTICLE
        + """\
assurance: {default: phr, minimum_for_groups: {admins: phrh, "no": aal2}}
factors: {allowed: [webauthn, push, totp, backup_codes, sms], sms: {only_with_alternative: false}}
remember_device: {for: 7_days, groups_except: [admins]}
first_factor: {confirm: invitation, hold: 1_hour}
sensitive_actions: [transfer, close account]
report_only:
  mfa_enforcement: {groups: [staff]}
""",
        groups_known={"admins", "no", "staff"},
    )
    assert document.assurance == AssuranceLevels(
        default=Assurance.PHR,
        minimum_for_groups=(
            GroupMinimum(group="admins", level=Assurance.PHRH),
            GroupMinimum(group="no", level=Assurance.AAL2),
        ),
    )
    assert document.factors == Factors(
        allowed=(FactorKind.WEBAUTHN, FactorKind.PUSH, FactorKind.TOTP, FactorKind.BACKUP_CODES, FactorKind.SMS),
        sms_only_with_alternative=False,
    )
    assert document.remember_device == RememberDevice(duration=7 * DAY, groups_except=("admins",))
    assert document.first_factor == FirstFactor(confirm=Confirm.INVITATION, hold=HOUR)
    assert document.sensitive_actions == ("transfer", "close account")
    assert document.report_only == PolicyDocument(mfa_enforcement=Enforcement(all_users=False, groups=("staff",)))


def test_what_is_not_written_has_the_strict_default() -> None:
    """No grace, no exclusion, a factor at every sign-in."""
    document = load(EVERYONE)
    assert document == PolicyDocument(mfa_enforcement=Enforcement(all_users=True))
    assert document.mfa_enforcement.grace_period == 0
    assert not document.mfa_enforcement.exclude_service_accounts
    assert document.risk_based_prompting is None
    assert document.remember_device.duration == 14 * DAY


@pytest.mark.parametrize("space", [None, 2, "\t"], ids=["compact", "spaces", "tabs"])
def test_json_is_read_as_well(space: int | str | None) -> None:
    """With every layout that JSON allows, and characters written as two escapes."""
    tree = {
        "mfa_enforcement": {"all_users": False, "groups": ["s\U0001f600", "a\\b/c"], "grace_period": "P30D"},
        "recovery": {"backup_codes": 8},
    }
    document = load("\n" + json.dumps(tree, indent=space))
    assert document.mfa_enforcement.groups == ("s\U0001f600", "a\\b/c")
    assert document.mfa_enforcement.grace_period == 30 * DAY
    assert document.recovery.backup_codes == 8


def test_json_may_hold_tabs_where_yaml_may_not() -> None:
    """Between its tokens; places are still counted in characters."""
    text = '{"mfa_enforcement":\t{"all_users": true}\n,\t"recovery"\t:\n\t{"backup_codes":\t8}\t}\t\n'
    assert load(text).recovery.backup_codes == 8
    assert only(text.replace("8", "80"))[:2] == (3, 19)


def test_the_built_in_default_is_a_document_like_any_other() -> None:
    """aal2 for all with 30 days of grace."""
    document = load(DEFAULT_TEXT)
    assert document.mfa_enforcement.all_users
    assert document.mfa_enforcement.grace_period == 30 * DAY
    assert document.assurance.default is Assurance.AAL2
    assert default_policy().document == document


@pytest.mark.parametrize(
    ("word", "mistake", "line", "column", "pointer", "code", "nearest"),
    [
        ("30_days", "30_dayz", 3, 17, "/grace_period", "bad_duration", "30_days"),
        ("30_days", "30", 3, 17, "/grace_period", "bad_duration", None),
        ("30_days", "366_days", 3, 17, "/grace_period", "out_of_range", None),
        ("30_days", "[30]", 3, 17, "/grace_period", "wrong_type", None),
        ("grace_period", "grace_perod", 3, 3, "/grace_perod", "unknown_key", "grace_period"),
        ("users: true", "users: yes", 2, 14, "/all_users", "wrong_type", "true"),
        ("users: true", "users: off", 2, 14, "/all_users", "wrong_type", "false"),
        ("users: true", "users: 'true'", 2, 14, "/all_users", "wrong_type", "true"),
        ("users: true", "users:", 2, 3, "/all_users", "wrong_type", None),
        ("users: true", "users: []", 2, 14, "/all_users", "wrong_type", None),
        ("location: prompt", "location: promt", 7, 21, f"{PROMPTING}/1/new_location", "unknown_value", "prompt_mfa"),
        ("location: prompt_mfa", "location: []", 7, 21, f"{PROMPTING}/1/new_location", "wrong_type", None),
        ("new_location", "new_device", 7, 7, f"{PROMPTING}/1/new_device", "duplicate_value", None),
        ("codes: 10", "codes: 33", 10, 19, "/recovery/backup_codes", "out_of_range", None),
        ("codes: 10", "codes: 0", 10, 19, "/recovery/backup_codes", "out_of_range", None),
        ("codes: 10", "codes: 1:10", 10, 19, "/recovery/backup_codes", "wrong_type", None),
        ("codes: 10", "codes: 010", 10, 19, "/recovery/backup_codes", "wrong_type", None),
        ("codes: 10", "codes: '10'", 10, 19, "/recovery/backup_codes", "wrong_type", None),
        ("with_id", "by_id", 11, 21, "/recovery/admin_recovery", "unknown_value", "verify_with_id"),
        ("24_hours", "1_minute", 12, 23, "/recovery/recovery_timeout", "out_of_range", None),
    ],
)
def test_every_slip_in_the_article_is_named_with_its_place(
    word: str, mistake: str, line: int, column: int, pointer: str, code: str, nearest: str | None
) -> None:
    """Line and column count from 1 and point at the word itself; the nearest valid word is offered where one is."""
    text = ARTICLE.replace(word, mistake)
    assert only(text) == (line, column, f"/mfa_enforcement{pointer}", code, nearest)


@pytest.mark.parametrize(
    ("added", "column", "pointer", "code", "nearest"),
    [
        ("recovery: {}", 11, "/recovery", "given_twice", None),
        ("asurance: {default: phr}", 1, "/asurance", "unknown_key", "assurance"),
        ("assurance: {default: ahl2}", 22, "/assurance/default", "unknown_value", "aal2"),
        ("factors: {allowed: [topt]}", 21, "/factors/allowed/0", "unknown_value", "totp"),
        ("factors: {allowed: [totp, totp]}", 27, "/factors/allowed/1", "duplicate_value", None),
        ("factors: {allowed: totp}", 20, "/factors/allowed", "wrong_type", None),
        ("factors: {allowed: []}", 20, "/factors/allowed", "empty_list", None),
        ("factors: [totp]", 10, "/factors", "wrong_type", None),
        ("sensitive_actions: [no]", 21, "/sensitive_actions/0", "ambiguous_text", None),
        ("sensitive_actions: [12:30]", 21, "/sensitive_actions/0", "ambiguous_text", None),
        ("sensitive_actions: [2024-01-01]", 21, "/sensitive_actions/0", "ambiguous_text", None),
        ("sensitive_actions: ['a\tb']", 21, "/sensitive_actions/0", "bad_name", None),
        (f"sensitive_actions: [{'a' * 129}]", 21, "/sensitive_actions/0", "bad_name", None),
        ("sensitive_actions: [{a: b}]", 21, "/sensitive_actions/0", "wrong_type", None),
        ("first_factor: {hold: 31_days}", 22, "/first_factor/hold", "out_of_range", None),
        ("remember_device: {for: 0}", 24, "/remember_device/for", "out_of_range", None),
    ],
)
def test_every_slip_in_what_we_add_is_named_with_its_place(
    added: str, column: int, pointer: str, code: str, nearest: str | None
) -> None:
    """On the line after the article."""
    assert only(f"{ARTICLE}{added}\n") == (13, column, pointer, code, nearest)


@pytest.mark.parametrize(
    ("text", "column", "pointer", "code"),
    [
        ("mfa_enforcement: {}\n", 18, "/mfa_enforcement", "missing_key"),
        ("assurance: {}\n", 1, "", "missing_key"),
        ("- 1\n", 1, "", "wrong_type"),
        ("just words\n", 1, "", "wrong_type"),
        ("# nothing\n", 1, "", "empty_document"),
        ("", 1, "", "empty_document"),
    ],
)
def test_a_document_says_who_must_hold_a_factor(text: str, column: int, pointer: str, code: str) -> None:
    """An empty one is not taken for a policy that asks nobody."""
    assert only(text) == (1, column, pointer, code, None)


def test_an_item_holds_one_condition() -> None:
    """Two in one item, or none, are taken for the slip of the pen that they are."""
    two = ARTICLE.replace("- new_location", "  new_location")
    assert only(two)[:4] == (6, 7, "/mfa_enforcement/risk_based_prompting/0", "wrong_type")
    assert only(ARTICLE.replace("new_location: prompt_mfa", "{}"))[:4] == (
        7,
        7,
        "/mfa_enforcement/risk_based_prompting/1",
        "wrong_type",
    )
    word = problems(ARTICLE.replace("new_location: prompt_mfa", "new_location"))
    assert [(problem.line, problem.column, problem.code) for problem in word] == [(7, 7, "wrong_type")]


def test_unknown_groups_are_refused_where_somebody_knows_them() -> None:
    """In each place that names groups, each with the nearest that exists."""
    text = """\
mfa_enforcement: {groups: [stuff]}
assurance: {minimum_for_groups: {admin: phr}}
remember_device: {groups_except: [wizards]}
"""
    found = problems(text, ["staff", "admins"])
    assert [(problem.line, problem.column, problem.pointer, problem.code, problem.nearest) for problem in found] == [
        (1, 28, "/mfa_enforcement/groups/0", "unknown_group", "staff"),
        (2, 34, "/assurance/minimum_for_groups/admin", "unknown_group", "admins"),
        (3, 35, "/remember_device/groups_except/0", "unknown_group", None),
    ]
    assert load(text).mfa_enforcement.groups == ("stuff",)


@pytest.mark.parametrize("key", ["rules", "risk", "invariants"])
def test_what_this_version_does_not_do_is_refused_and_never_passed_over(key: str) -> None:
    """A rule that nobody evaluates would be a lock that nobody turned."""
    problem = problems(ARTICLE + f"{key}: []\n")[0]
    assert (problem.line, problem.column, problem.pointer, problem.code) == (13, 1, f"/{key}", "not_supported")
    assert f"{key} is not supported by this version" in problem.detail
    nested = problems(EVERYONE + f"report_only: {{mfa_enforcement: {{all_users: true}}, {key}: []}}\n")[0]
    assert (nested.pointer, nested.code) == (f"/report_only/{key}", "not_supported")


@pytest.mark.parametrize(
    ("first_factor", "places"),
    [
        ("{confirm: verified_address}", [(13, 25, "/first_factor/confirm")]),
        ("{confirm: invitation, hold: 2_hours}", [(13, 25, "/first_factor/confirm"), (13, 43, "/first_factor/hold")]),
        ("{confirm: none, hold: 0}", []),
        ("{}", []),
    ],
)
def test_what_would_let_nobody_set_up_a_first_factor_is_not_put_in_force(
    first_factor: str, places: list[tuple[int, int, str]]
) -> None:
    """It fails where it is written, and not at the door; also beside. What is in force already can still be read."""
    text = ARTICLE + f"first_factor: {first_factor}\n"
    load(text)
    beside = EVERYONE + f"report_only: {{mfa_enforcement: {{all_users: true}}, first_factor: {first_factor}}}\n"
    if not places:
        assert load(text, to_apply=True) == load(text)
        load(beside, to_apply=True)
        return
    with pytest.raises(PolicyErrors) as refused:
        load(text, to_apply=True)
    assert [(p.line, p.column, p.pointer) for p in refused.value.problems] == places
    assert {p.code for p in refused.value.problems} == {"not_supported"}
    assert "nobody could set up a first factor: write none" in refused.value.problems[0].detail
    with pytest.raises(PolicyErrors) as refused:
        load(beside, to_apply=True)
    assert [p.pointer for p in refused.value.problems] == [f"/report_only{pointer}" for _, _, pointer in places]


@pytest.mark.parametrize("text", [ARTICLE, ARTICLE_BESIDE, DEFAULT_TEXT], ids=["nested", "beside", "default"])
def test_what_people_begin_with_can_be_put_in_force(text: str) -> None:
    """The article's document, and ours."""
    assert load(text, to_apply=True) == load(text)


def test_a_key_at_the_wrong_level_is_told_where_it_belongs() -> None:
    """The article's text lost its indentation on the way; whoever copies it is told what is missing."""
    flat = "mfa_enforcement:\nall_users: true\ngrace_period: 30_days\n"
    assert {(problem.line, problem.code) for problem in problems(flat)} == {
        (1, "wrong_type"),
        (2, "misplaced_key"),
        (3, "misplaced_key"),
    }
    assert only("mfa_enforcement:\n  all_users: true\n  factors: {}\n")[:4] == (
        3,
        3,
        "/mfa_enforcement/factors",
        "misplaced_key",
    )


@pytest.mark.parametrize(
    ("text", "line", "column", "pointer"),
    [
        (ARTICLE.replace("all_users: true", "all_users: true\n  groups: [a]"), 3, 11, "/mfa_enforcement/groups"),
        (EVERYONE + "factors: {allowed: [backup_codes]}\n", 2, 20, "/factors/allowed"),
        (EVERYONE + "factors: {allowed: [totp], sms: {only_with_alternative: true}}\n", 2, 33, "/factors/sms"),
        (EVERYONE + "assurance: {default: aal1}\n", 2, 22, "/assurance/default"),
        (EVERYONE + "assurance: {default: phr}\nfactors: {allowed: [totp, push]}\n", 2, 22, "/assurance/default"),
        (
            EVERYONE + "assurance: {minimum_for_groups: {a: phrh}}\nfactors: {allowed: [totp]}\n",
            2,
            37,
            "/assurance/minimum_for_groups/a",
        ),
        (
            EVERYONE + "risk_based_prompting: [new_device: prompt_mfa]\nsensitive_actions: [transfer]\n",
            3,
            20,
            "/sensitive_actions",
        ),
    ],
)
def test_impossible_combinations_are_refused(text: str, line: int, column: int, pointer: str) -> None:
    """At the key that brings the contradiction about."""
    assert only(text) == (line, column, pointer, "impossible_combination", None)


@pytest.mark.requirement("S7")
@pytest.mark.parametrize("allowed", ["[sms]", "[backup_codes, sms]"])
def test_sms_is_never_the_only_factor_that_a_policy_allows(allowed: str) -> None:
    """Backup codes beside it are no second way in."""
    assert only(EVERYONE + f"factors: {{allowed: {allowed}}}\n")[:4] == (
        2,
        20,
        "/factors/allowed",
        "impossible_combination",
    )
    assert load(EVERYONE + "factors: {allowed: [sms, totp]}\n").factors.allowed == (FactorKind.SMS, FactorKind.TOTP)


def test_an_empty_list_of_conditions_would_ask_nobody() -> None:
    """Leaving the key out asks always; an empty list is refused instead of asking never."""
    assert only(EVERYONE + "risk_based_prompting: []\n")[:4] == (2, 23, "/risk_based_prompting", "empty_list")


def test_the_document_beside_is_read_as_strictly() -> None:
    """Its problems have their place, and it holds no further document."""
    text = EVERYONE + "report_only:\n  mfa_enforcement: {all_users: tru}\n"
    assert only(text) == (3, 32, "/report_only/mfa_enforcement/all_users", "wrong_type", "true")
    inner = EVERYONE + "report_only:\n  mfa_enforcement: {all_users: true}\n  report_only: {}\n"
    assert only(inner)[:4] == (4, 3, "/report_only/report_only", "impossible_combination")
    assert only(EVERYONE + "report_only: {assurance: {}}\n")[:4] == (2, 14, "/report_only", "missing_key")


def test_all_problems_come_at_once_in_the_order_of_the_text() -> None:
    """Whoever mends a document does not want to be told one thing at a time."""
    text = ARTICLE.replace("30_days", "soon").replace("verify_with_id", "none") + "rules: []\nfactor: {}\n"
    found = problems(text)
    assert [problem.line for problem in found] == [3, 11, 13, 14]
    assert [problem.code for problem in found] == ["bad_duration", "unknown_value", "not_supported", "unknown_key"]
    assert "line 14, column 1: There is no key factor here (did you mean factors?)" in str(PolicyErrors(found))


def test_problems_end_where_nobody_would_read_on() -> None:
    """A hundred are told; the rest of a hopeless text costs nothing."""
    assert len(problems("".join(f"k{number}: 1\n" for number in range(4000)))) == 100
