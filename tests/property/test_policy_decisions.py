"""Whatever the policy: more risk never means less proof, and nobody without a factor slips through."""

from __future__ import annotations

import timeit
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.policy.compiled import CompiledPolicy, compile_policy
from nightlatch.domain.policy.decision import Context, Decision, Signals, Subject
from nightlatch.domain.policy.document import (
    AssuranceLevels,
    Condition,
    Enforcement,
    Factors,
    FirstFactor,
    GroupMinimum,
    PolicyDocument,
    Prompt,
    Prompting,
    RememberDevice,
)
from nightlatch.domain.policy.evaluate import decide
from nightlatch.domain.time import DAY

NOW = 1_766_000_000_000_000
GROUPS = ("staff", "admins")
SOME_GROUPS = st.lists(st.sampled_from(GROUPS), unique=True).map(tuple)
LEVELS = st.sampled_from(Assurance)
DEVICES = ("remembered", "recognised", "unknown", "missing")
PLACES = ("known", "new", "missing")
ACRS = (None, "aal1", "aal2", "phr", "phrh", "beyond")


def documents() -> st.SearchStrategy[PolicyDocument]:
    """Documents of every shape that bears on decisions."""
    prompting = st.dictionaries(st.sampled_from(Condition), st.sampled_from(Prompt), min_size=1).map(
        lambda found: tuple(Prompting(condition=condition, effect=effect) for condition, effect in found.items())
    )
    return st.builds(
        PolicyDocument,
        mfa_enforcement=st.builds(
            Enforcement,
            all_users=st.booleans(),
            groups=SOME_GROUPS,
            grace_period=st.sampled_from([0, DAY, 30 * DAY]),
            exclude_service_accounts=st.booleans(),
        ),
        risk_based_prompting=st.none() | prompting,
        assurance=st.builds(
            AssuranceLevels,
            default=st.sampled_from([Assurance.AAL2, Assurance.PHR]),
            minimum_for_groups=st.lists(
                st.builds(GroupMinimum, group=st.sampled_from(GROUPS), level=LEVELS), max_size=1
            ).map(tuple),
        ),
        factors=st.builds(Factors, allowed=st.lists(st.sampled_from(FactorKind), unique=True, min_size=1).map(tuple)),
        remember_device=st.builds(RememberDevice, groups_except=SOME_GROUPS),
        first_factor=st.builds(FirstFactor),
        sensitive_actions=st.none() | st.just(("transfer",)),
    )


POLICIES = documents().map(lambda document: compile_policy(document, 1))
SUBJECTS = st.builds(
    Subject,
    user_id=st.just("usr_1"),
    kind=st.sampled_from(["person", "person", "person", "service"]),
    groups=SOME_GROUPS,
    active=st.lists(st.sampled_from([kind.value for kind in FactorKind]), unique=True).map(tuple),
    grace_started_at=st.none() | st.integers(NOW - 40 * DAY, NOW),
    expires_at=st.none() | st.integers(NOW - DAY, NOW + DAY),
    networks=st.sampled_from([(), ("192.0.2.0/24",), ("198.51.100.0/24",)]),
    operator=st.booleans(),
    known=st.booleans(),
    disabled=st.sampled_from([False, False, False, True]),
)
# A name that nobody has is shut out either way: by deny, or by an enroll that nobody can complete.
EXISTING = SUBJECTS.map(lambda subject: msgspec.structs.replace(subject, known=True))
CONTEXTS = st.builds(
    Context,
    application_id=st.just("app_1"),
    application=st.just("Bank"),
    action=st.sampled_from(["login", "login", "transfer", "manage_factors", "other"]),
    ip=st.just("192.0.2.1"),
    acr=st.sampled_from(ACRS),
    first_factor=st.sampled_from([None, "none", "pwd"]),
)
SIGNALS = st.builds(
    Signals,
    device=st.sampled_from(DEVICES),
    remembered_at=st.none() | st.integers(NOW - 20 * DAY, NOW + DAY),
    place=st.sampled_from(PLACES),
    address_mismatch=st.booleans(),
)


def strictness(decision: Decision) -> int:
    """How far a decision is from letting somebody in."""
    if decision.outcome == "enroll" and decision.skippable:
        return 1
    return {"allow": 0, "challenge": 2, "enroll": 2, "deny": 3}[decision.outcome]


def assert_not_lower(before: Decision, after: Decision) -> None:
    """The second asks for at least as much as the first, and gives no more."""
    assert strictness(after) >= strictness(before)
    if after.outcome != "deny":
        assert after.acr_required.rank >= before.acr_required.rank
        assert after.fresh >= before.fresh
        assert set(after.allowed_kinds) <= set(before.allowed_kinds) or before.outcome in {"allow", "challenge"}
        assert before.confirmation == "none" or after.confirmation != "none" or after.outcome == "challenge"


@settings(max_examples=600, deadline=None)
@given(POLICIES, EXISTING, CONTEXTS, SIGNALS, st.data())
def test_more_risk_never_asks_for_less(
    policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals, data: st.DataObject
) -> None:
    """Any signal raised, alone or with others."""
    riskier = Signals(
        device=data.draw(st.sampled_from(DEVICES[DEVICES.index(signals.device) :])),
        remembered_at=signals.remembered_at,
        place=data.draw(st.sampled_from(PLACES[PLACES.index(signals.place) :])),
        address_mismatch=signals.address_mismatch or data.draw(st.booleans()),
    )
    before = decide(policy, subject, context, signals, NOW)
    assert_not_lower(before, decide(policy, subject, context, riskier, NOW))


@pytest.mark.requirement("E5")
@settings(max_examples=600, deadline=None)
@given(POLICIES, EXISTING, CONTEXTS, SIGNALS, st.data())
def test_a_higher_requested_level_never_asks_for_less(
    policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals, data: st.DataObject
) -> None:
    """And what is approved then is at least what was requested."""
    higher = data.draw(st.sampled_from(ACRS[ACRS.index(context.acr) :]))
    before = decide(policy, subject, context, signals, NOW)
    after = decide(policy, subject, msgspec.structs.replace(context, acr=higher), signals, NOW)
    assert_not_lower(before, after)
    if higher is not None and strictness(after) < 3:
        assert after.acr_required.rank >= Assurance(higher).rank
        assert not after.skippable or higher == "aal1"


@settings(max_examples=400, deadline=None)
@given(POLICIES, SUBJECTS, CONTEXTS, SIGNALS)
def test_nobody_without_a_factor_gets_past_the_deadline(
    policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals
) -> None:
    """Whom the policy covers adds a factor or stays outside, backup codes or not."""
    late = msgspec.structs.replace(
        subject,
        kind="person",
        known=True,
        active=tuple(kind for kind in subject.active if kind == "backup_codes"),
        grace_started_at=NOW - policy.grace,
    )
    decision = decide(policy, late, context, signals, NOW)
    assert not decision.skippable
    if policy.covers(subject.groups):
        assert decision.outcome in {"enroll", "deny"}


@pytest.mark.requirement("H6")
@settings(max_examples=400, deadline=None)
@given(POLICIES, SUBJECTS, CONTEXTS, SIGNALS)
def test_a_name_that_nobody_has_is_never_let_in(
    policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals
) -> None:
    """Nor challenged, since that would tell that it exists; and it leaves no trace to keep."""
    decision = decide(policy, msgspec.structs.replace(subject, known=False), context, signals, NOW)
    assert decision.outcome in {"enroll", "deny"}
    assert not decision.skippable
    assert not decision.grace_starts


@settings(max_examples=600, deadline=None)
@given(POLICIES, SUBJECTS, CONTEXTS, SIGNALS)
def test_every_decision_is_sound(policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals) -> None:
    """It has reasons, lets in at aal1 only, and asks only for what can be answered."""
    decision = decide(policy, subject, context, signals, NOW)
    assert decision.reasons
    assert (decision.outcome == "deny") == (decision.reasons[-1].effect == "deny")
    assert decision.outcome != "allow" or decision.acr_required is Assurance.AAL1
    assert (decision.outcome in {"challenge", "enroll"}) == bool(decision.allowed_kinds)
    assert decision.outcome != "challenge" or set(decision.allowed_kinds) <= set(subject.active)
    assert decision.outcome != "challenge" or set(decision.allowed_kinds) != {FactorKind.BACKUP_CODES}
    assert not decision.skippable or decision.outcome == "enroll"
    assert (decision.max_age is not None) == decision.fresh


@settings(max_examples=300, deadline=None)
@given(POLICIES, SUBJECTS, CONTEXTS, SIGNALS)
def test_who_has_a_factor_never_skips_it(
    policy: CompiledPolicy, subject: Subject, context: Context, signals: Signals
) -> None:
    """Whatever has become of it under the policy."""
    assume(any(kind != "backup_codes" for kind in subject.active))
    assert not decide(policy, subject, context, signals, NOW).skippable


def test_what_a_decision_costs(record_property: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, not judged: machines differ. The bound of the design is 20 µs."""
    document = PolicyDocument(
        mfa_enforcement=Enforcement(all_users=True, grace_period=30 * DAY),
        risk_based_prompting=tuple(Prompting(condition=item, effect=Prompt.PROMPT_MFA) for item in Condition),
        report_only=PolicyDocument(mfa_enforcement=Enforcement(all_users=True)),
    )
    policy = compile_policy(document, 1)
    subject = Subject(user_id="usr_1", groups=GROUPS, active=("totp", "backup_codes"))
    context = Context(application_id="app_1", application="Bank", ip="192.0.2.1", first_factor="pwd")
    seconds = min(timeit.repeat(lambda: decide(policy, subject, context, Signals(), NOW), number=2000, repeat=3))
    record_property("microseconds", seconds / 2000 * 1e6)
    with capsys.disabled():
        print(f" [a decision with a document beside it: {seconds / 2000 * 1e6:.1f} µs] ", end="")
