"""What is known of each kind of factor before any is looked at. A new factor adds a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from nightlatch.domain.factors import backup_codes, sms
from nightlatch.domain.factors.base import Evidence, FactorKind, typed_digits


class FactorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One kind. The flags say what an accepted answer proves at least; ``strength`` orders what is offered."""

    kind: FactorKind
    strength: int
    fits: Callable[[str], bool]
    amr: tuple[str, ...]
    possession: bool = False
    enrollable: bool = False

    def evidence(self, *, factor_id: str, counter: int) -> Evidence:
        """What an accepted answer of this kind proves."""
        return Evidence(kind=self.kind, factor_id=factor_id, counter=counter, amr=self.amr, possession=self.possession)


def _six_to_eight_digits(text: str) -> bool:
    digits = typed_digits(text)
    return digits is not None and 6 <= len(digits) <= 8


# A backup code proves possession of the list, as NIST SP 800-63B-4 §3.1.2 counts look-up secrets. Its amr is "otp":
# RFC 8176 has no value for look-up secrets, and each is a password that works one time; "kba" would claim that the
# person knows it, and "pin" that it unlocks a key.
# Nothing is typed for push, so no text has its form. Its key is made of software, as far as we can tell: "swk".
_SPECS = (
    FactorSpec(
        kind=FactorKind.PUSH,
        strength=50,
        fits=lambda _text: False,
        amr=("swk",),
        possession=True,
        enrollable=True,
    ),
    FactorSpec(
        kind=FactorKind.TOTP,
        strength=40,
        fits=_six_to_eight_digits,
        amr=("otp",),
        possession=True,
        enrollable=True,
    ),
    FactorSpec(
        kind=FactorKind.HOTP,
        strength=30,
        fits=_six_to_eight_digits,
        amr=("otp",),
        possession=True,
        enrollable=True,
    ),
    FactorSpec(
        kind=FactorKind.SMS,
        strength=20,
        fits=sms.looks_like,
        amr=("sms",),
        possession=True,
        enrollable=True,
    ),
    FactorSpec(
        kind=FactorKind.BACKUP_CODES,
        strength=10,
        fits=backup_codes.looks_like,
        amr=("otp",),
        possession=True,
    ),
)

REGISTRY: dict[FactorKind, FactorSpec] = {spec.kind: spec for spec in _SPECS}
"""The kinds that work, strongest first. Backup codes are made with the first other factor, never enrolled alone."""


def spec_of(kind: FactorKind) -> FactorSpec | None:
    """What is known of a kind; None for one that does not work here."""
    return REGISTRY.get(kind)


def fits(kind: FactorKind, text: str) -> bool:
    """Whether a text has the form of this kind's codes; it says nothing about whether the code is right."""
    spec = REGISTRY.get(kind)
    return spec is not None and spec.fits(text)


def candidates(text: str, kinds: Iterable[FactorKind]) -> list[FactorKind]:
    """The kinds among ``kinds`` that a code could belong to by its form, strongest first, each once.

    The shape of a backup code is no other kind's, so that it alone decides; more than one kind left means that the
    caller must name the factor.
    """
    return by_strength(kind for kind in kinds if fits(kind, text))


def by_strength(kinds: Iterable[FactorKind]) -> list[FactorKind]:
    """The kinds that work here, strongest first, each once: the order in which ways to sign in are offered."""
    wanted = set(kinds)
    return [kind for kind in REGISTRY if kind in wanted]
