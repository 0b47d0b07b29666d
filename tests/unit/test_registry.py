"""What the form of a code tells."""

from __future__ import annotations

import pytest

from nightlatch.domain.assurance import REGISTERED_AMR
from nightlatch.domain.factors import registry
from nightlatch.domain.factors.base import FactorKind, typed_digits

ALL = list(FactorKind)


@pytest.mark.parametrize("text", ["123456", "123 456", "1234567", "12345678", " 123-456 "])
def test_digits_fit_the_codes_of_apps_and_tokens(text: str) -> None:
    """Six to eight of them, and then totp and hotp are both possible; six may have been texted, too."""
    texted = [FactorKind.SMS] if len(typed_digits(text) or "") == 6 else []
    assert registry.candidates(text, ALL) == [FactorKind.TOTP, FactorKind.HOTP, *texted]


@pytest.mark.requirement("L1")
def test_the_shape_of_a_backup_code_is_no_other_factor_s() -> None:
    """Sixteen symbols are a backup code, digits only or not."""
    for text in ("0ABC-DEFG-HJKM-NPQR", "0123-4567-8901-2345"):
        assert registry.candidates(text, ALL) == [FactorKind.BACKUP_CODES]


@pytest.mark.parametrize("text", ["", "12345", "123456789", "abc", "\0", "1" * 100_000])
def test_other_texts_fit_nothing(text: str) -> None:
    """Nothing is guessed from a text of no known form."""
    assert registry.candidates(text, ALL) == []


def test_only_the_kinds_that_a_user_has_are_candidates() -> None:
    """Each once, in the order of strength."""
    assert registry.candidates("123456", [FactorKind.HOTP, FactorKind.BACKUP_CODES]) == [FactorKind.HOTP]
    assert registry.candidates("123456", [FactorKind.HOTP, FactorKind.TOTP, FactorKind.HOTP]) == [
        FactorKind.TOTP,
        FactorKind.HOTP,
    ]


def test_the_registry_is_in_the_order_of_strength() -> None:
    """The strongest way to sign in is offered first, backup codes last."""
    strengths = [spec.strength for spec in registry.REGISTRY.values()]
    assert strengths == sorted(strengths, reverse=True)
    assert list(registry.REGISTRY)[-1] is FactorKind.BACKUP_CODES


def test_backup_codes_are_never_enrolled_alone() -> None:
    """They come with the first other factor."""
    alone = [kind for kind, spec in registry.REGISTRY.items() if not spec.enrollable]
    assert alone == [FactorKind.BACKUP_CODES]


@pytest.mark.requirement("E7")
def test_every_factor_asserts_registered_methods_only() -> None:
    """And never ``mfa``, which is concluded from all the evidence."""
    for kind, spec in registry.REGISTRY.items():
        evidence = spec.evidence(factor_id="fac_1", counter=7)
        assert (evidence.kind, evidence.factor_id, evidence.counter) == (kind, "fac_1", 7)
        assert set(evidence.amr) <= REGISTERED_AMR - {"mfa"}
        assert {evidence.phishing_resistant, evidence.user_verified, evidence.hardware} == {False}


def test_typed_digits_are_ascii() -> None:
    """Whatever the keyboard, the code that is judged is made of 0 to 9."""
    assert typed_digits("١٢٣ ٤٥٦") == "123456"
    assert typed_digits("123\u2013456") == "123456"
    assert typed_digits("12a456") is None
    assert typed_digits("--") is None
