"""What may be asserted, and never more."""

from __future__ import annotations

import itertools

import pytest

from nightlatch.domain.assurance import REGISTERED_AMR, Assurance, assess, highest, reachable, satisfies
from nightlatch.domain.factors.base import Evidence, FactorKind
from nightlatch.domain.factors.registry import REGISTRY

AAL1, AAL2, PHR, PHRH = Assurance.AAL1, Assurance.AAL2, Assurance.PHR, Assurance.PHRH

TOTP = REGISTRY[FactorKind.TOTP].evidence(factor_id="fac_1", counter=1)
BACKUP = REGISTRY[FactorKind.BACKUP_CODES].evidence(factor_id="fac_2", counter=1)


def key(*, verified: bool = False, hardware: bool = False, resistant: bool = True) -> Evidence:
    """Evidence of a security key."""
    return Evidence(
        kind=FactorKind.WEBAUTHN,
        amr=("hwk",) if hardware else ("swk",),
        possession=True,
        user_verified=verified,
        phishing_resistant=resistant,
        hardware=hardware,
    )


def test_the_levels_are_in_order() -> None:
    """Each satisfies itself and those below, and none above."""
    for (i, have), (j, need) in itertools.product(enumerate(Assurance), repeat=2):
        assert satisfies(have, need) is (i >= j)
    assert highest([AAL1, PHR, AAL2]) is PHR
    assert highest([]) is AAL1


@pytest.mark.requirement("E7")
def test_a_password_and_a_code_are_two_kinds() -> None:
    """Known and held: ``aal2`` and ``mfa``, whether the code is an app's or from paper."""
    assert assess([TOTP], "pwd") == (AAL2, ("mfa", "otp", "pwd"))
    assert assess([BACKUP], "pwd") == (AAL2, ("mfa", "otp", "pwd"))


@pytest.mark.requirement("E7")
@pytest.mark.parametrize("first", ["none", None])
def test_a_code_alone_is_one_kind(first: str | None) -> None:
    """Without a first factor of the application, or when nothing is known of it, there is no ``mfa``."""
    assert assess([TOTP], "none" if first else None) == (AAL1, ("otp",))


@pytest.mark.requirement("E7")
def test_two_things_held_are_one_kind() -> None:
    """An app's code and a backup code together are no ``mfa``; nor are two keys that verified nobody."""
    assert assess([TOTP, BACKUP], "none") == (AAL1, ("otp",))
    assert assess([TOTP, key()], "none").acr is AAL1


@pytest.mark.requirement("E3", "E7")
def test_no_evidence_yields_no_mfa() -> None:
    """A remembered device gives none: the password alone is ``aal1``."""
    assert assess([], "pwd") == (AAL1, ("pwd",))
    assert assess([], "none") == (AAL1, ())
    assert assess([], None) == (AAL1, ())


@pytest.mark.requirement("W8")
def test_a_key_that_verified_its_user_is_two_kinds_alone() -> None:
    """With user verification ``mfa``, without it none."""
    assert assess([key(verified=True)], "none") == (PHR, ("mfa", "swk"))
    assert assess([key(verified=False)], "none") == (AAL1, ("swk",))
    assert assess([key(verified=False)], "pwd") == (PHR, ("mfa", "pwd", "swk"))


def test_hardware_lifts_only_a_proof_that_resists_phishing() -> None:
    """``phrh`` needs both on the same evidence."""
    assert assess([key(verified=True, hardware=True)], "none").acr is PHRH
    assert assess([key(verified=True, hardware=True, resistant=False)], "none").acr is AAL2
    mixed = [key(verified=True), key(hardware=True, resistant=False)]
    assert assess(mixed, "pwd").acr is PHR


def test_verification_counts_on_the_thing_that_is_held_alone() -> None:
    """A PIN that unlocked nothing does not make a code from elsewhere two kinds."""
    pin = Evidence(kind=FactorKind.PUSH, user_verified=True, amr=("pin",))
    assert assess([pin, TOTP], "none").acr is AAL1


@pytest.mark.requirement("P6")
def test_a_push_is_not_phishing_resistant() -> None:
    """Nor is anything whose evidence does not say so."""
    push = Evidence(kind=FactorKind.PUSH, possession=True, user_verified=True, amr=("swk", "pin"))
    assert assess([push], "pwd").acr is AAL2


@pytest.mark.requirement("E7")
def test_mfa_is_concluded_and_not_believed() -> None:
    """A factor that claims it adds nothing."""
    boasting = Evidence(kind=FactorKind.TOTP, possession=True, amr=("otp", "mfa"))
    assert assess([boasting], "none") == (AAL1, ("otp",))


@pytest.mark.requirement("E7")
def test_only_registered_methods_are_asserted() -> None:
    """A value that RFC 8176 does not know stops the assertion."""
    with pytest.raises(ValueError, match="totp"):
        assess([Evidence(kind=FactorKind.TOTP, possession=True, amr=("totp",))], "pwd")
    assert len(REGISTERED_AMR) == 20


@pytest.mark.requirement("E7")
def test_mfa_and_a_level_above_aal1_come_together() -> None:
    """Over every pair of kinds of evidence and every first factor."""
    kinds = [
        Evidence(kind=FactorKind.PUSH, possession=p, knowledge=k, user_verified=v, phishing_resistant=r, hardware=h)
        for p, k, v, r, h in itertools.product((False, True), repeat=5)
    ]
    for pair in itertools.combinations_with_replacement(kinds, 2):
        for first in ("pwd", "none", None):
            proved = assess(pair, first)
            assert ("mfa" in proved.amr) is (proved.acr is not AAL1)


@pytest.mark.requirement("B1")
@pytest.mark.parametrize(
    ("kinds", "first", "level"),
    [
        ([], "pwd", AAL1),
        ([FactorKind.TOTP], "pwd", AAL2),
        ([FactorKind.TOTP, FactorKind.BACKUP_CODES], "pwd", AAL2),
        ([FactorKind.TOTP, FactorKind.BACKUP_CODES], "none", AAL1),
        ([FactorKind.HOTP], None, AAL1),
        ([FactorKind.TOTP, FactorKind.WEBAUTHN], "pwd", PHR),
        ([FactorKind.WEBAUTHN], "none", PHR),
        ([FactorKind.SMS, FactorKind.PUSH], "pwd", AAL2),
    ],
)
def test_the_highest_level_in_reach_follows_from_the_kinds(
    kinds: list[FactorKind], first: str, level: Assurance
) -> None:
    """It is what a person can prove at best, and never more than they could."""
    assert reachable(kinds, "pwd" if first == "pwd" else "none" if first == "none" else None) is level
