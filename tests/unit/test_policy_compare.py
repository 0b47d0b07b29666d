"""What a new document weakens is told; what it strengthens is not. And what a valid one leaves undone."""

from __future__ import annotations

import pytest

from nightlatch.domain.policy.compare import weakens
from nightlatch.domain.policy.describe import to_plain, to_yaml
from nightlatch.domain.policy.lint import advise
from nightlatch.domain.policy.loader import load

BASE = """\
mfa_enforcement: {all_users: true, grace_period: 30_days}
"""
RISK = "risk_based_prompting: [{new_device: prompt_mfa}, {sensitive_action: require_mfa}]\n"
LIST = "sensitive_actions: [transfer, login]\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            BASE,
            "mfa_enforcement: {groups: [staff], grace_period: 30_days}\n",
            ["not every person must hold a factor any more"],
        ),
        (
            "mfa_enforcement: {groups: [staff, admins]}\n",
            "mfa_enforcement: {groups: [staff]}\n",
            ["people in the group admins need not hold a factor any more"],
        ),
        (BASE, BASE.replace("30_days", "36_days"), ["the grace period grows from 30_days to 36_days"]),
        (
            BASE,
            BASE.replace("}", ", exclude_service_accounts: true}"),
            ["service accounts are let in without a factor"],
        ),
        (BASE, BASE + RISK, ["a factor is no longer asked for at every sign-in"]),
        (
            BASE + RISK,
            BASE + RISK.replace("{new_device: prompt_mfa}, ", ""),
            ["new_device asks for nothing any more"],
        ),
        (
            BASE + RISK,
            BASE + RISK.replace("require_mfa", "prompt_mfa"),
            ["sensitive_action asks for prompt_mfa instead of require_mfa"],
        ),
        (
            BASE,
            BASE + LIST,
            ["only the listed actions are sensitive, no longer every action but login"],
        ),
        (BASE + LIST, BASE, ["the action login is not sensitive any more"]),
        (
            BASE + LIST,
            BASE + LIST.replace("transfer, ", ""),
            ["the action transfer is not sensitive any more"],
        ),
        (BASE + "assurance: {default: phr}\n", BASE, ["the default level falls from phr to aal2"]),
        (
            BASE + "assurance: {minimum_for_groups: {a: phr, b: aal2}}\n",
            BASE + "assurance: {minimum_for_groups: {a: aal2}}\n",
            [
                "the minimum for the group a falls from phr to aal2",
                "the minimum for the group b falls from aal2 to aal1",
            ],
        ),
        (
            BASE + "factors: {allowed: [totp]}\n",
            BASE + "factors: {allowed: [totp, webauthn, sms], sms: {only_with_alternative: false}}\n",
            ["factors of the kind sms are allowed", "SMS may be the only way in of a person"],
        ),
        (
            BASE + "remember_device: {for: 1_day, groups_except: [admins]}\n",
            BASE,
            [
                "devices are remembered for 14_days instead of 1_day",
                "devices of people in the group admins are remembered",
            ],
        ),
        (
            BASE + "first_factor: {confirm: invitation, hold: 1_hour}\n",
            BASE + "first_factor: {confirm: verified_address}\n",
            [
                "adding a first factor needs the confirmation verified_address instead of invitation",
                "a first factor rests for 0_days instead of 1_hour",
            ],
        ),
        (
            BASE,
            BASE + "recovery: {recovery_timeout: 25_hours, cooling_off: 0}\n",
            [
                "an approved recovery may be redeemed for 25_hours instead of 1_day",
                "recoveries cool off for 0_days instead of 1_day",
            ],
        ),
    ],
)
def test_every_weakening_is_named(old: str, new: str, said: list[str]) -> None:
    """Each alone, in a sentence; the way back names it no more."""
    assert weakens(load(old), load(new)) == said
    assert not set(weakens(load(new), load(old))) & set(said)


def test_the_same_document_weakens_nothing_and_neither_does_the_one_beside() -> None:
    """What is only reported changes no answer."""
    document = load(BASE + RISK)
    assert weakens(document, document) == []
    beside = load(BASE + RISK + "report_only: {mfa_enforcement: {all_users: false}}\n")
    assert weakens(document, beside) == weakens(beside, document) == []


def test_strengthening_is_no_weakening() -> None:
    """Stricter in every way at once."""
    lax = "mfa_enforcement: {groups: [a], exclude_service_accounts: true, grace_period: 9_days}\n" + RISK
    strict = (
        "mfa_enforcement: {all_users: true}\nassurance: {default: phr}\nfactors: {allowed: [webauthn]}\n"
        "remember_device: {for: 1_hour, groups_except: [a]}\nfirst_factor: {confirm: invitation, hold: 1_day}\n"
    )
    assert weakens(load(lax), load(strict)) == []


def test_the_normal_form_says_every_value_and_loads_as_the_same() -> None:
    """Names that YAML might read as something else come in quotes."""
    text = BASE + RISK + 'sensitive_actions: ["no", "12", "a: b", "\\"", transfer, "é"]\n'
    text += "assurance: {minimum_for_groups: {admins: phr}}\nreport_only: {mfa_enforcement: {groups: [staff]}}\n"
    document = load(text)
    written = to_yaml(document)
    assert load(written) == document
    assert 'sensitive_actions: ["no", "12", "a: b", "\\"", transfer, "é"]' in written
    assert "  hold: 0_days" in written
    assert to_plain(document)["report_only"]["mfa_enforcement"] == {
        "all_users": False,
        "groups": ["staff"],
        "grace_period": "0_days",
        "exclude_service_accounts": False,
    }


@pytest.mark.parametrize(
    ("extra", "codes"),
    [
        ("", ["needs_typing"]),
        ("assurance: {minimum_for_groups: {admins: phr}}\n", ["needs_typing", "level_out_of_reach"]),
        ("remember_device: {for: 1_day}\n", ["needs_typing", "without_effect"]),
        (RISK + "remember_device: {for: 1_day}\n", ["needs_typing"]),
    ],
)
def test_advice_on_a_valid_document(extra: str, codes: list[str]) -> None:
    """Whom it shuts out and what it leaves without effect."""
    assert [advice.code for advice in advise(load(BASE + extra))] == codes


def test_advice_on_a_document_that_covers_nobody() -> None:
    """It may be meant, and should not go unsaid."""
    assert advise(load("mfa_enforcement: {all_users: false}\n"))[0].code == "nobody_covered"
