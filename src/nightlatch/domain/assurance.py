"""How sure an authentication makes us: from evidence to ``acr`` and ``amr``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

from nightlatch.domain.factors.base import Evidence, FactorKind

FirstFactor = Literal["pwd", "none"]

REGISTERED_AMR = frozenset(
    (
        *("face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin"),
        *("pwd", "rba", "retina", "sc", "sms", "swk", "tel", "user", "vbm", "wia"),
    )
)
"""The values of RFC 8176 §2. No other is ever asserted (E7)."""


class Assurance(StrEnum):
    """Levels in ascending order.

    ``aal1`` and ``aal2`` as NIST SP 800-63B-4 §2 means them; ``phr`` and ``phrh`` (phishing-resistant, and with the
    key in hardware) as OpenID EAP ACR Values 1.0 names them, here only ever on top of ``aal2``.
    """

    AAL1 = "aal1"
    AAL2 = "aal2"
    PHR = "phr"
    PHRH = "phrh"

    @property
    def rank(self) -> int:
        """Place in the order, lowest first."""
        return _ORDER.index(self)


_ORDER = (Assurance.AAL1, Assurance.AAL2, Assurance.PHR, Assurance.PHRH)


class Proved(NamedTuple):
    """What may be asserted."""

    acr: Assurance
    amr: tuple[str, ...]


def satisfies(have: Assurance, need: Assurance) -> bool:
    """Whether a level is as high as another."""
    return have.rank >= need.rank


def highest(levels: Iterable[Assurance]) -> Assurance:
    """The highest of some levels; ``aal1`` of none."""
    return max(levels, key=lambda level: level.rank, default=Assurance.AAL1)


def assess(evidence: Sequence[Evidence], first_factor: FirstFactor | None) -> Proved:
    """What evidence proves in one authentication, together with the application's own first factor.

    ``mfa`` and ``aal2`` need two kinds: something known and something held, or something held that itself verified
    its user. Two things held are one kind. An unknown first factor counts for nothing. A remembered device is no
    evidence, so none can yield ``mfa`` (E3). Raises ``ValueError`` for an ``amr`` that is not registered.
    """
    methods = {value for item in evidence for value in item.amr}
    if not methods <= REGISTERED_AMR:
        raise ValueError(f"amr values that are not registered: {sorted(methods - REGISTERED_AMR)}")
    # "mfa" is ours to conclude, whatever a factor says of itself.
    methods.discard("mfa")
    if first_factor == "pwd":
        methods.add("pwd")
    if not _two_kinds(evidence, first_factor):
        return Proved(Assurance.AAL1, tuple(sorted(methods)))
    return Proved(_level(evidence), tuple(sorted(methods | {"mfa"})))


def reachable(kinds: Iterable[FactorKind], first_factor: FirstFactor | None) -> Assurance:
    """The highest level that somebody with factors of these kinds can prove.

    A passkey counts as one that verifies its user; that its key is in hardware, the kind alone does not tell.
    """
    return highest(assess((_BEST[kind],), first_factor).acr for kind in kinds)


def _two_kinds(evidence: Sequence[Evidence], first_factor: FirstFactor | None) -> bool:
    possession = any(item.possession for item in evidence)
    knowledge = first_factor == "pwd" or any(item.knowledge for item in evidence)
    # Verification counts only on the very thing that is held: a PIN typed elsewhere unlocked nothing here.
    verified = any(item.possession and item.user_verified for item in evidence)
    return verified or (possession and knowledge)


def _level(evidence: Sequence[Evidence]) -> Assurance:
    # A key in hardware lifts only its own proof: another factor's hardware says nothing about it.
    resistant = [item for item in evidence if item.possession and item.phishing_resistant]
    if not resistant:
        return Assurance.AAL2
    return Assurance.PHRH if any(item.hardware for item in resistant) else Assurance.PHR


_BEST = {
    kind: Evidence(
        kind=kind,
        possession=True,
        user_verified=kind is FactorKind.WEBAUTHN,
        phishing_resistant=kind is FactorKind.WEBAUTHN,
    )
    for kind in FactorKind
}
