"""Whose approval lets factors be changed: the owner's own, fresh, for this, and once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from nightlatch.app.context import Caller
from nightlatch.app.step_up import APPROVAL_LIFE, check_approval
from nightlatch.domain.errors import StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.ids import APPLICATION, AUTHENTICATION, FACTOR, USER, new_id
from nightlatch.domain.policy.compiled import compile_policy
from nightlatch.domain.policy.defaults import DEFAULT_TEXT, default_policy
from nightlatch.domain.policy.loader import load
from nightlatch.domain.records import (
    Application,
    Authentication,
    AuthenticationStatus,
    Factor,
    FactorStatus,
    User,
    UserKind,
)
from nightlatch.domain.time import SECOND
from nightlatch.ports.store import Snapshot

NOW = 1_766_000_000 * SECOND


def some_id(prefix: str, number: int) -> str:
    """A well-formed id."""
    return new_id(prefix, NOW, number.to_bytes(10, "big"))


MAYA = User(id=some_id(USER, 1), username="maya", kind=UserKind.PERSON, created_at=NOW, updated_at=NOW)
BANK = Application(id=some_id(APPLICATION, 1), name="bank", created_at=NOW)
CALLER = Caller(f"application:{BANK.id}", BANK, frozenset({"enroll"}))
APPROVAL = Authentication(
    id=some_id(AUTHENTICATION, 1),
    root=MAYA.id,
    user_id=MAYA.id,
    application_id=BANK.id,
    action="manage_factors",
    first_factor="pwd",
    ip="192.0.2.1",
    decision="challenge",
    status=AuthenticationStatus.APPROVED,
    acr="aal2",
    factor_id=some_id(FACTOR, 1),
    approved_at=NOW,
    created_at=NOW,
    expires_at=NOW + 600 * SECOND,
)


def factor(kind: FactorKind, number: int = 1) -> Factor:
    """An active factor of Maya's."""
    return Factor(id=some_id(FACTOR, number), user_id=MAYA.id, kind=kind, status=FactorStatus.ACTIVE, created_at=NOW)


def snapshot(approval: Authentication | None = APPROVAL, *kinds: FactorKind) -> Snapshot:
    """Maya with factors, and the authentication that was named."""
    factors = tuple(factor(kind, number) for number, kind in enumerate(kinds or (FactorKind.TOTP,), 1))
    return Snapshot(root=MAYA.id, version=3, user=MAYA, factors=factors, authentication=approval)


@pytest.mark.requirement("B1", "E4")
def test_the_owners_fresh_approval_is_used_up() -> None:
    """The answer is the authentication, marked as used, for the same change."""
    used = check_approval(CALLER, snapshot(), default_policy(), APPROVAL.id, NOW + APPROVAL_LIFE)
    assert used == replace(APPROVAL, approval_used_at=NOW + APPROVAL_LIFE)
    hosted = replace(APPROVAL, return_url="https://bank.example/back", redeemed_at=NOW)
    assert check_approval(CALLER, snapshot(hosted), default_policy(), APPROVAL.id, NOW).approval_used_at == NOW


@pytest.mark.requirement("B1", "E4")
@pytest.mark.parametrize(
    "different",
    [
        {"user_id": some_id(USER, 2)},
        {"root": some_id(USER, 2)},
        {"application_id": some_id(APPLICATION, 2)},
        {"action": "login"},
        {"status": AuthenticationStatus.PENDING},
        {"status": AuthenticationStatus.REJECTED},
        {"approval_used_at": NOW},
        {"factor_id": None},
        {"acr": None},
        {"acr": "aal1"},
        {"approved_at": None},
        {"approved_at": NOW - APPROVAL_LIFE - 1},
        {"approved_at": NOW + 1},
        {"return_url": "https://bank.example/back"},
        {"id": some_id(AUTHENTICATION, 2)},
    ],
    ids=lambda different: "-".join(f"{name}={value}" for name, value in different.items())[:40],
)
def test_anything_else_is_no_approval(different: dict[str, Any]) -> None:
    """Another's, a stranger application's, for something else, undecided, used, proved by nothing, weaker, old."""
    with pytest.raises(StepUpRequired):
        check_approval(CALLER, snapshot(replace(APPROVAL, **different)), default_policy(), APPROVAL.id, NOW)


@pytest.mark.requirement("B1")
@pytest.mark.parametrize("named", [None, "", "nonsense", some_id(AUTHENTICATION, 9)])
def test_without_an_approval_nothing_is_changed(named: str | None) -> None:
    """Naming none, or one that is not there, is the same refusal."""
    with pytest.raises(StepUpRequired):
        check_approval(CALLER, snapshot(None), default_policy(), named, NOW)
    with pytest.raises(StepUpRequired):
        check_approval(CALLER, snapshot(), default_policy(), named, NOW)


@pytest.mark.requirement("B1")
def test_it_must_be_at_the_highest_level_that_the_factors_reach() -> None:
    """Who holds a passkey cannot be changed by a code; where policy lets no passkey answer, a code is the highest."""
    both = (FactorKind.TOTP, FactorKind.WEBAUTHN)
    codes_only = compile_policy(load(DEFAULT_TEXT + "factors: {allowed: [totp, backup_codes]}\n"), 1)
    check_approval(CALLER, snapshot(APPROVAL, *both), codes_only, APPROVAL.id, NOW)
    passkeys = replace(default_policy(), kinds=(FactorKind.WEBAUTHN, FactorKind.TOTP))
    with pytest.raises(StepUpRequired):
        check_approval(CALLER, snapshot(APPROVAL, *both), passkeys, APPROVAL.id, NOW)
    check_approval(CALLER, snapshot(replace(APPROVAL, acr="phr"), *both), passkeys, APPROVAL.id, NOW)


@pytest.mark.requirement("B1")
def test_a_factor_alone_approves_where_it_is_all_that_there_is() -> None:
    """An application without a first factor of its own reaches aal1, and still needs the factor to be proved."""
    alone = replace(APPROVAL, first_factor="none", acr="aal1")
    check_approval(CALLER, snapshot(alone), default_policy(), APPROVAL.id, NOW)
    with pytest.raises(StepUpRequired):
        check_approval(CALLER, snapshot(replace(alone, factor_id=None)), default_policy(), APPROVAL.id, NOW)


@pytest.mark.requirement("B1")
def test_an_operator_passes_on_the_owners_approval_and_has_none_of_their_own() -> None:
    """The command line calls for no application."""
    operator = Caller("operator:cli:root")
    check_approval(operator, snapshot(), default_policy(), APPROVAL.id, NOW)
    with pytest.raises(StepUpRequired):
        check_approval(operator, snapshot(None), default_policy(), None, NOW)
