"""What the words of the policy mean for people: whom it asks, for what, and who may put it off."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.policy.compiled import MANAGE_FACTORS, compile_policy
from nightlatch.domain.policy.decision import Context, Decision, Signals, Subject
from nightlatch.domain.policy.evaluate import MAX_AGE, decide
from nightlatch.domain.policy.loader import load
from nightlatch.domain.time import DAY, HOUR, MINUTE, rfc3339

NOW = 1_766_000_000_000_000
GRACE = 30 * DAY
EVERYONE = "mfa_enforcement: {all_users: true, grace_period: 30_days}\n"
NO_GRACE = "mfa_enforcement: {all_users: true}\n"
STAFF = "mfa_enforcement: {groups: [staff], grace_period: 30_days}\n"
RISK = """\
risk_based_prompting:
  - new_device: prompt_mfa
  - new_location: prompt_mfa
  - sensitive_action: require_mfa
"""
BARE = Subject(user_id="usr_1")
HOLDER = Subject(user_id="usr_1", active=("totp", "backup_codes"), grace_started_at=NOW - 90 * DAY)
FAMILIAR = Signals(device="remembered", remembered_at=NOW - DAY, place="known")


def asked(
    text: str = EVERYONE, subject: Subject = HOLDER, signals: Signals = FAMILIAR, now: int = NOW, **context: Any
) -> Decision:
    """The decision on an attempt at a bank that has checked a password."""
    attempt = Context(application_id="app_1", application="Bank", ip="192.0.2.1", first_factor="pwd")
    policy = compile_policy(load(text), 7)
    return decide(policy, subject, msgspec.structs.replace(attempt, **context), signals, now)


def codes(decision: Decision) -> list[tuple[str, str]]:
    """Each reason's code and effect."""
    return [(reason.code, reason.effect) for reason in decision.reasons]


def since(started: int | None, *active: str) -> Subject:
    """A person whose grace period began then."""
    return Subject(user_id="usr_1", active=active, grace_started_at=started)


def test_without_conditions_a_factor_is_asked_for_every_time() -> None:
    """However familiar device and place are; the decision names the rule and the version."""
    decision = asked()
    assert (decision.outcome, decision.acr_required, decision.policy_version) == ("challenge", Assurance.AAL2, 7)
    assert decision.allowed_kinds == ("totp", "backup_codes")
    assert (decision.fresh, decision.max_age, decision.remember_for) == (False, None, None)
    assert codes(decision) == [("policy_default", "prompt_mfa")]
    assert decision.reasons[0].rule == "default"


def test_with_conditions_a_familiar_sign_in_is_allowed_and_says_what_was_recognised() -> None:
    """At aal1, since nothing was proved."""
    decision = asked(EVERYONE + RISK)
    assert (decision.outcome, decision.acr_required) == ("allow", Assurance.AAL1)
    assert codes(decision) == [
        ("recognised_device", "allow"),
        ("known_place", "allow"),
        ("ordinary_action", "allow"),
    ]
    assert not decision.grace_starts


@pytest.mark.requirement("G3")
@pytest.mark.parametrize(
    ("change", "code", "detail"),
    [
        ({"device": "missing"}, "new_device", "no device token came with the request"),
        ({"device": "unknown"}, "new_device", "first sign-in from this browser"),
        ({"device": "recognised"}, "new_device", "this browser is known, but no approval remembered it"),
        ({"remembered_at": None}, "new_device", "this browser was remembered longer ago than the policy relies on"),
        ({"place": "new"}, "new_location", "no earlier proved sign-in from this network"),
        ({"place": "missing"}, "new_location", "nothing is known about where this comes from"),
        (
            {"address_mismatch": True},
            "address_mismatch",
            "the prompt was opened from another address than the application named",
        ),
    ],
)
def test_what_is_new_or_missing_is_asked_about(change: dict[str, Any], code: str, detail: str) -> None:
    """Being recognised is not being remembered, and silence is not safety."""
    decision = asked(EVERYONE + RISK, signals=msgspec.structs.replace(FAMILIAR, **change))
    assert (decision.outcome, decision.acr_required, decision.fresh) == ("challenge", Assurance.AAL2, False)
    assert (decision.reasons[0].code, decision.reasons[0].effect, decision.reasons[0].detail) == (
        code,
        "prompt_mfa",
        detail,
    )
    assert decision.reasons[-1].code == "policy_default"


def test_nothing_said_at_all_is_the_riskiest() -> None:
    """The defaults of Signals."""
    assert codes(asked(EVERYONE + RISK, signals=Signals()))[:2] == [
        ("new_device", "prompt_mfa"),
        ("new_location", "prompt_mfa"),
    ]


@pytest.mark.parametrize(
    ("age", "outcome"),
    [(0, "allow"), (14 * DAY - 1, "allow"), (14 * DAY, "challenge"), (-1, "challenge")],
)
def test_a_device_is_relied_on_for_as_long_as_the_policy_says(age: int, outcome: str) -> None:
    """14 days by default, to the µs; a time to come, after a clock was set back, proves nothing."""
    signals = Signals(device="remembered", remembered_at=NOW - age, place="known")
    assert asked(EVERYONE + RISK, signals=signals).outcome == outcome


def test_some_groups_are_never_remembered() -> None:
    """And approvals of theirs offer no remembering."""
    text = EVERYONE + RISK + "remember_device: {for: 7_days, groups_except: [admins]}\n"
    admin = msgspec.structs.replace(HOLDER, groups=("admins", "staff"))
    assert codes(asked(text, admin))[0] == ("new_device", "prompt_mfa")
    assert asked(text, admin).remember_for is None
    assert asked(text, signals=Signals()).remember_for == 7 * DAY


def test_an_approval_at_two_addresses_remembers_nothing() -> None:
    """Whoever relays a sign-in does not get a device that counts tomorrow."""
    relayed = msgspec.structs.replace(FAMILIAR, address_mismatch=True)
    assert asked(EVERYONE + RISK, signals=relayed).remember_for is None


@pytest.mark.parametrize(
    ("listed", "action", "sensitive"),
    [
        ("", "login", False),
        ("", "transfer", True),
        ("", "", True),
        ("sensitive_actions: [transfer]\n", "transfer", True),
        ("sensitive_actions: [transfer]\n", "read", False),
        ("sensitive_actions: [login]\n", "login", True),
        ("sensitive_actions: [transfer]\n", MANAGE_FACTORS, True),
    ],
)
def test_sensitive_actions_need_a_factor_proved_now(listed: str, action: str, sensitive: bool) -> None:
    """By default every action but login; a list replaces that, but never frees the change of factors (E4)."""
    decision = asked(EVERYONE + RISK + listed, action=action)
    assert decision.outcome == ("challenge" if sensitive else "allow")
    assert (decision.fresh, decision.max_age) == ((True, MAX_AGE) if sensitive else (False, None))
    assert not sensitive or decision.reasons[0].effect == "require_mfa"


def test_an_approval_of_a_sensitive_action_is_short_lived_under_every_policy() -> None:
    """Five minutes, also where a factor is asked for every time."""
    decision = asked(action="transfer")
    assert (decision.fresh, decision.max_age) == (True, 5 * MINUTE)
    assert codes(decision) == [("sensitive_action", "require_mfa"), ("policy_default", "prompt_mfa")]


def test_the_effect_of_each_condition_is_its_own() -> None:
    """A new location may demand more than a sensitive action."""
    text = EVERYONE + "risk_based_prompting: [{new_location: require_mfa}, {sensitive_action: prompt_mfa}]\n"
    assert asked(text, signals=Signals()).fresh
    assert not asked(text, action="transfer").fresh
    relayed = asked(text, signals=msgspec.structs.replace(FAMILIAR, address_mismatch=True))
    assert (relayed.fresh, relayed.reasons[0].effect) == (True, "require_mfa")


# --- grace -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [EVERYONE, EVERYONE + RISK], ids=["always", "risk"])
def test_the_first_decision_that_wants_a_factor_starts_the_grace_period(text: str) -> None:
    """It may be put off until the deadline, which is told."""
    decision = asked(text, BARE, Signals())
    assert (decision.outcome, decision.skippable, decision.grace_starts) == ("enroll", True, True)
    assert decision.grace_ends_at == NOW + GRACE
    assert decision.allowed_kinds == ("push", "totp", "hotp")
    assert codes(decision)[-1] == ("grace_period", "enroll")
    assert rfc3339(NOW + GRACE) in decision.reasons[-1].detail


@pytest.mark.parametrize(("left", "skippable"), [(1, True), (0, False), (-DAY, False)])
def test_the_deadline_is_absolute(left: int, skippable: bool) -> None:
    """To the µs; nothing restarts it, and after it there is only adding a factor."""
    decision = asked(subject=since(NOW + left - GRACE))
    assert (decision.outcome, decision.skippable, decision.grace_starts) == ("enroll", skippable, False)
    assert decision.grace_ends_at == NOW + left


@pytest.mark.parametrize("subject", [BARE, since(NOW - GRACE), since(NOW - GRACE, "backup_codes")])
def test_whom_the_policy_covers_must_hold_a_factor_however_familiar_the_rest(subject: Subject) -> None:
    """No condition holds, and still it is not allow; backup codes alone are no factor."""
    decision = asked(EVERYONE + RISK, subject)
    assert decision.outcome == "enroll"
    assert codes(decision)[-2:] == [("policy_default", "prompt_mfa"), ("grace_period", "enroll")]


def test_who_has_a_factor_never_gets_to_skip() -> None:
    """Not in the grace period, not with a factor that the policy no longer allows."""
    assert asked(subject=since(NOW, "totp")).outcome == "challenge"
    decision = asked(EVERYONE + "factors: {allowed: [hotp, backup_codes]}\n", since(NOW, "totp", "backup_codes"))
    assert (decision.outcome, decision.skippable, decision.allowed_kinds) == ("enroll", False, ("hotp",))
    assert codes(decision)[-1] == ("factor_not_sufficient", "enroll")


def test_a_challenge_starts_the_clock_too() -> None:
    """Else removing the only factor later would win 30 days without one."""
    assert asked(subject=since(None, "totp")).grace_starts
    assert not asked(subject=since(NOW - DAY, "totp")).grace_starts


def test_sensitive_actions_are_refused_in_the_grace_period() -> None:
    """After it a factor can be added for them; an attempt starts the clock."""
    decision = asked(subject=BARE, action="transfer")
    assert (decision.outcome, decision.skippable, decision.grace_starts) == ("deny", False, True)
    assert decision.grace_ends_at == NOW + GRACE
    assert codes(decision)[-1] == ("grace_period", "deny")
    # The change of factors is sensitive whatever a document lists.
    assert asked(EVERYONE + "sensitive_actions: [transfer]\n", BARE, action=MANAGE_FACTORS).outcome == "deny"
    after = asked(subject=since(NOW - GRACE), action="transfer")
    assert (after.outcome, after.skippable, after.fresh) == ("enroll", False, True)


@pytest.mark.parametrize(
    ("text", "subject"),
    [(NO_GRACE, BARE), (EVERYONE, Subject(user_id="usr_1", operator=True))],
    ids=["no grace", "operator"],
)
def test_there_may_be_no_grace(text: str, subject: Subject) -> None:
    """Where the document gives none, and for operators always."""
    decision = asked(text, subject)
    assert (decision.outcome, decision.skippable, decision.grace_ends_at) == ("enroll", False, None)
    assert decision.grace_starts


@pytest.mark.parametrize(
    ("minimum", "context", "signals"),
    [
        ("assurance: {minimum_for_groups: {staff: aal2}}\n", {}, FAMILIAR),
        ("", {"acr": "aal2"}, FAMILIAR),
        ("", {}, msgspec.structs.replace(FAMILIAR, address_mismatch=True)),
    ],
    ids=["group minimum", "requested level", "two addresses"],
)
def test_grace_lowers_nothing_that_is_asked_for_by_name(
    minimum: str, context: dict[str, Any], signals: Signals
) -> None:
    """A skipped factor is aal1, which would be less than a group or the application asked for."""
    decision = asked(EVERYONE + minimum, Subject(user_id="usr_1", groups=("staff",)), signals, **context)
    assert (decision.outcome, decision.skippable, decision.grace_ends_at) == ("enroll", False, NOW + GRACE)


def test_adding_a_first_factor_needs_what_the_document_asks_for() -> None:
    """And a risky context needs a confirmation even where the document asks for none."""
    careful = EVERYONE + "first_factor: {confirm: invitation, hold: 2_hours}\n"
    assert (asked(careful, BARE).confirmation, asked(careful, BARE).hold) == ("invitation", 2 * HOUR)
    assert (asked(subject=BARE).confirmation, asked(subject=BARE).hold) == ("none", 0)
    relayed = msgspec.structs.replace(FAMILIAR, address_mismatch=True)
    assert asked(subject=BARE, signals=relayed).confirmation == "verified_address"
    assert asked(careful, BARE, relayed).confirmation == "invitation"


# --- levels ----------------------------------------------------------------------------------


@pytest.mark.requirement("E5")
@pytest.mark.parametrize("text", [EVERYONE + RISK, STAFF], ids=["familiar", "not covered"])
def test_a_requested_level_is_asked_for_where_the_policy_would_not_ask(text: str) -> None:
    """Nothing lowers it."""
    assert asked(text).outcome == "allow"
    assert asked(text, acr="aal1").outcome == "allow"
    decision = asked(text, acr="aal2")
    assert (decision.outcome, decision.acr_required) == ("challenge", Assurance.AAL2)
    assert codes(decision)[-1] == ("acr_requested", "raise")


def test_a_group_minimum_holds_for_familiar_sign_ins() -> None:
    """The highest of those that apply."""
    text = EVERYONE + RISK + "assurance: {minimum_for_groups: {staff: aal1, admins: aal2, root: phr}}\n"
    for groups, outcome in [(("staff",), "allow"), (("admins",), "challenge"), (("admins", "root"), "deny")]:
        assert asked(text, msgspec.structs.replace(HOLDER, groups=groups)).outcome == outcome
    decision = asked(text, msgspec.structs.replace(HOLDER, groups=("root", "admins")))
    assert decision.acr_required is Assurance.PHR
    assert ("group_minimum", "raise") in codes(decision)
    assert codes(decision)[-1] == ("assurance_unreachable", "deny")


@pytest.mark.parametrize("acr", ["phr", "phrh"])
def test_a_level_that_no_factor_reaches_is_denied(acr: str) -> None:
    """With or without a factor, in the grace period or after it; the reason says so."""
    for subject in (HOLDER, BARE, since(NOW - GRACE)):
        decision = asked(EVERYONE + RISK, subject, acr=acr)
        assert (decision.outcome, decision.acr_required) == ("deny", Assurance(acr))
        assert ("acr_requested", "raise") in codes(decision)
        assert codes(decision)[-1] == ("assurance_unreachable", "deny")


def test_a_level_that_does_not_exist_is_denied() -> None:
    """It cannot be known to be met."""
    assert codes(asked(acr="aal9")) == [("acr_unknown", "deny")]


@pytest.mark.parametrize("first_factor", [None, "none", "PWD", "pwd "])
def test_without_a_first_factor_a_code_alone_is_no_aal2(first_factor: str | None) -> None:
    """Two kinds are needed, and what is not said counts for nothing."""
    decision = asked(first_factor=first_factor)
    assert (decision.outcome, decision.allowed_kinds) == ("deny", ())
    assert codes(decision)[-1] == ("assurance_unreachable", "deny")
    assert "no first factor" in decision.reasons[-1].detail


def test_backup_codes_do_not_outlive_the_factor_that_they_stand_in_for() -> None:
    """Once no allowed factor is left, one must be added, and codes do not put it off."""
    text = NO_GRACE + "factors: {allowed: [hotp, backup_codes]}\n"
    assert asked(text, since(NOW, "totp", "backup_codes")).outcome == "enroll"
    assert asked(text, since(NOW, "hotp", "backup_codes")).allowed_kinds == ("hotp", "backup_codes")


# --- who -------------------------------------------------------------------------------------


def test_people_outside_the_groups_are_not_asked() -> None:
    """With the reason; their sensitive actions are not the policy's matter either."""
    decision = asked(STAFF, BARE, Signals())
    assert (decision.outcome, codes(decision)) == ("allow", [("not_covered", "allow")])
    assert asked(STAFF, BARE, Signals(), action="transfer").outcome == "allow"
    assert asked(STAFF, msgspec.structs.replace(HOLDER, groups=("x", "staff"))).outcome == "challenge"
    wanted = asked(STAFF, BARE, acr="aal2")
    assert (wanted.outcome, wanted.skippable, wanted.grace_ends_at) == ("enroll", False, None)


def test_a_document_may_cover_nobody() -> None:
    """Said in as many words, for instance beside a document that is tried out."""
    assert asked("mfa_enforcement: {all_users: false}\n", BARE, Signals()).outcome == "allow"


@pytest.mark.requirement("H6")
@pytest.mark.parametrize("text", [EVERYONE, EVERYONE + RISK, STAFF], ids=["always", "risk", "not covered"])
@pytest.mark.parametrize("signals", [FAMILIAR, Signals()], ids=["familiar", "new"])
def test_a_name_that_nobody_has_gets_no_way_in(text: str, signals: Signals) -> None:
    """Where somebody without factors would be allowed or could skip."""
    nobody = Subject(user_id="usr_2", known=False, active=("totp",), groups=("staff",))
    decision = asked(text, nobody, signals)
    assert (decision.outcome, decision.skippable, decision.grace_starts) == ("deny", False, False)
    assert codes(decision)[-1] == ("user_unknown", "deny")


@pytest.mark.requirement("H6")
def test_a_name_that_nobody_has_is_asked_to_add_a_factor_like_anybody_without_one() -> None:
    """Where that cannot be skipped, the answers differ in nothing."""
    nobody = Subject(user_id="usr_2", known=False)
    decision = asked(NO_GRACE, nobody)
    assert decision == msgspec.structs.replace(asked(NO_GRACE, BARE), grace_starts=False)
    assert decision.outcome == "enroll"


def test_a_disabled_user_is_denied() -> None:
    """Before anything else is looked at."""
    decision = asked(EVERYONE + RISK, msgspec.structs.replace(HOLDER, disabled=True))
    assert (decision.outcome, codes(decision)) == ("deny", [("user_disabled", "deny")])
