"""What stands beside ordinary sign-ins: service accounts, the change of factors, and the document that is tried out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.policy.compiled import MANAGE_FACTORS, compile_policy
from nightlatch.domain.policy.decision import Context, Decision, Signals, Subject
from nightlatch.domain.policy.evaluate import MAX_AGE, decide
from nightlatch.domain.policy.loader import load
from nightlatch.domain.time import DAY

NOW = 1_766_000_000_000_000
EXCLUDED = "mfa_enforcement: {all_users: true, exclude_service_accounts: true}\n"
EVERYONE = "mfa_enforcement: {all_users: true}\n"
ROBOT = Subject(user_id="usr_3", kind="service", expires_at=NOW + 1, networks=("192.0.2.0/24", "2001:db8::/32"))
HOLDER = Subject(user_id="usr_1", active=("totp", "backup_codes"))
FAMILIAR = Signals(device="remembered", remembered_at=NOW - DAY, place="known")


def asked(text: str, subject: Subject, signals: Signals = FAMILIAR, **context: Any) -> Decision:
    """The decision on an attempt at a bank that has checked a password."""
    attempt = Context(application_id="app_1", application="Bank", ip="192.0.2.1", first_factor="pwd")
    return decide(compile_policy(load(text), 7), subject, msgspec.structs.replace(attempt, **context), signals, NOW)


def last(decision: Decision) -> tuple[str, str, str]:
    """The outcome, and the code and effect of the last reason."""
    return decision.outcome, decision.reasons[-1].code, decision.reasons[-1].effect


# --- service accounts ------------------------------------------------------------------------


@pytest.mark.parametrize("ip", ["192.0.2.255", "2001:db8::1", "::ffff:192.0.2.7"])
@pytest.mark.parametrize("action", ["login", "transfer"])
def test_a_service_account_is_let_in_within_its_bounds(ip: str, action: str) -> None:
    """At aal1, with its reason; it has no factors, no grace period and nothing to remember."""
    decision = asked(EXCLUDED, ROBOT, Signals(), ip=ip, action=action)
    assert last(decision) == ("allow", "service_account", "allow")
    assert decision == Decision(
        outcome="allow", acr_required=Assurance.AAL1, reasons=decision.reasons, policy_version=7
    )


@pytest.mark.parametrize("ip", ["192.0.3.1", "2001:db9::1", "::ffff:192.0.3.7", "192.0.2.1/24", "robot", ""])
def test_a_service_account_elsewhere_is_denied(ip: str) -> None:
    """What is no address is in no network."""
    assert last(asked(EXCLUDED, ROBOT, ip=ip)) == ("deny", "service_account_outside_networks", "deny")


def test_both_addresses_of_a_service_account_count() -> None:
    """The one that the application named, and the one that we saw."""
    assert asked(EXCLUDED, ROBOT, peer_ip="192.0.2.9").outcome == "allow"
    assert last(asked(EXCLUDED, ROBOT, peer_ip="203.0.113.9"))[1] == "service_account_outside_networks"


def test_networks_are_optional_and_an_unreadable_one_holds_nobody() -> None:
    """An account without networks is bound by its expiry alone."""
    assert asked(EXCLUDED, msgspec.structs.replace(ROBOT, networks=()), ip="203.0.113.9").outcome == "allow"
    assert asked(EXCLUDED, msgspec.structs.replace(ROBOT, networks=("office",))).outcome == "deny"


@pytest.mark.parametrize("expires_at", [None, NOW, NOW - DAY])
def test_a_service_account_ends(expires_at: int | None) -> None:
    """At its expiry, to the µs; one without an expiry never began."""
    robot = msgspec.structs.replace(ROBOT, expires_at=expires_at)
    assert last(asked(EXCLUDED, robot)) == ("deny", "service_account_expired", "deny")


def test_a_service_account_that_is_not_excluded_is_denied() -> None:
    """It must hold a factor and cannot; outside the groups of a policy it need not."""
    assert last(asked(EVERYONE, ROBOT)) == ("deny", "service_account_not_excluded", "deny")
    assert asked("mfa_enforcement: {groups: [staff]}\n", ROBOT).outcome == "allow"


@pytest.mark.parametrize(("acr", "outcome"), [("aal1", "allow"), ("aal2", "deny"), ("phr", "deny")])
def test_a_service_account_proves_no_level(acr: str, outcome: str) -> None:
    """Whether the application asks for one or the account's group needs one."""
    assert asked(EXCLUDED, ROBOT, acr=acr).outcome == outcome
    text = EXCLUDED + f"assurance: {{minimum_for_groups: {{robots: {acr}}}}}\n"
    decision = asked(text, msgspec.structs.replace(ROBOT, groups=("robots",)))
    assert decision.outcome == outcome
    assert decision.outcome == "allow" or last(decision)[1:] == ("assurance_unreachable", "deny")


@pytest.mark.parametrize("change", [{"known": False}, {"disabled": True}])
def test_a_service_account_that_is_gone_is_denied(change: dict[str, bool]) -> None:
    """Whatever its bounds say."""
    assert asked(EXCLUDED, msgspec.structs.replace(ROBOT, **change)).outcome != "allow"


# --- the change of factors ---------------------------------------------------------------------


@pytest.mark.requirement("B1", "E4")
@pytest.mark.parametrize(
    "extra",
    [
        "",
        "risk_based_prompting: [{new_device: prompt_mfa}]\n",
        "assurance: {minimum_for_groups: {staff: phr}}\n",
        "factors: {allowed: [hotp]}\n",
    ],
    ids=["always", "risk", "a minimum out of reach", "a kind no longer allowed"],
)
def test_changing_factors_takes_the_highest_level_that_the_present_ones_reach(extra: str) -> None:
    """Fresh and short-lived, on a remembered device as well, and never a level that only a new factor would reach."""
    person = msgspec.structs.replace(HOLDER, groups=("staff",))
    decision = asked(EVERYONE + extra, person, action=MANAGE_FACTORS)
    assert (decision.outcome, decision.acr_required) == ("challenge", Assurance.AAL2)
    assert (decision.fresh, decision.max_age, decision.remember_for) == (True, MAX_AGE, None)
    assert "totp" in decision.allowed_kinds
    assert last(decision)[1:] == ("manage_factors", "require_mfa")


@pytest.mark.requirement("B1")
def test_changing_factors_is_asked_of_people_whom_the_policy_does_not_cover() -> None:
    """Whoever has a factor guards it."""
    assert asked("mfa_enforcement: {all_users: false}\n", HOLDER, action=MANAGE_FACTORS).outcome == "challenge"


@pytest.mark.requirement("B1")
def test_a_kind_that_is_no_longer_allowed_proves_nothing_beside_one_that_is() -> None:
    """It counts only for somebody who has no other."""
    text = EVERYONE + "factors: {allowed: [hotp]}\n"
    both = Subject(user_id="usr_1", active=("totp", "hotp"))
    assert asked(text, both, action=MANAGE_FACTORS).allowed_kinds == ("hotp",)


@pytest.mark.requirement("B1")
def test_without_a_first_factor_the_code_itself_is_still_asked_for() -> None:
    """Though all it reaches is aal1."""
    decision = asked(EVERYONE, HOLDER, action=MANAGE_FACTORS, first_factor="none")
    assert (decision.outcome, decision.acr_required) == ("challenge", Assurance.AAL1)


def test_changing_factors_at_a_level_out_of_reach_is_denied() -> None:
    """And so is a factor of a kind that does not work here."""
    assert last(asked(EVERYONE, HOLDER, action=MANAGE_FACTORS, acr="phr"))[:2] == ("deny", "assurance_unreachable")
    foreign = Subject(user_id="usr_1", active=("webauthn",))
    assert asked(EVERYONE, foreign, action=MANAGE_FACTORS).outcome == "deny"


# --- the document beside -----------------------------------------------------------------------


def test_the_document_beside_is_asked_and_changes_nothing() -> None:
    """Its decision is told in full, whichever of the two is stricter."""
    lax = "mfa_enforcement: {all_users: false}\n"
    strict = lax + "report_only: {mfa_enforcement: {all_users: true}}\n"
    decision = asked(strict, HOLDER)
    assert msgspec.structs.replace(decision, report_only=None) == asked(lax, HOLDER)
    assert decision.report_only == asked(EVERYONE, HOLDER)
    assert decision.report_only is not None
    assert (decision.outcome, decision.report_only.outcome) == ("allow", "challenge")
    assert asked(EVERYONE, HOLDER).report_only is None


def test_a_decision_is_data() -> None:
    """It is written as JSON and read back as it was."""
    decision = asked(EVERYONE + "report_only: {mfa_enforcement: {all_users: false}}\n", HOLDER)
    assert msgspec.json.decode(msgspec.json.encode(decision), type=Decision) == decision
