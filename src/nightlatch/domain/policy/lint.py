"""Advice on a document that is valid: what it leaves undone, and whom it leaves out."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from nightlatch.domain.assurance import Assurance, reachable, satisfies
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.registry import by_strength
from nightlatch.domain.policy.document import Condition, PolicyDocument, RememberDevice

_WITHOUT_TYPING = frozenset({FactorKind.WEBAUTHN})
"""Ways in that need no code to be read, remembered or copied (WCAG 2.2 §3.3.8). Push is none: its number is typed."""


class Advice(msgspec.Struct, frozen=True):
    """Something to think about. ``code`` is stable; ``pointer`` is a JSON pointer into the normal form."""

    pointer: str
    code: str
    detail: str


def advise(document: PolicyDocument) -> tuple[Advice, ...]:
    """What an operator should know before applying this document."""
    return tuple(_advice(document))


def _advice(document: PolicyDocument) -> Iterator[Advice]:
    enforcement = document.mfa_enforcement
    if not enforcement.all_users and not enforcement.groups:
        yield Advice("/mfa_enforcement/all_users", "nobody_covered", "No person must hold a factor")
    works = by_strength(document.factors.allowed)
    if not any(kind in _WITHOUT_TYPING for kind in works):
        detail = "Every way in needs a code to be copied, which some people cannot do (WCAG 2.2 §3.3.8)"
        yield Advice("/factors/allowed", "needs_typing", detail)
    for pointer, level, whom in _levels(document):
        if not satisfies(reachable(works, "pwd"), level):
            detail = f"No allowed factor of this version reaches {level}: {whom} will be denied"
            yield Advice(pointer, "level_out_of_reach", detail)
    if document.remember_device != RememberDevice() and document.effect_of(Condition.NEW_DEVICE) is None:
        detail = "Nothing asks whether a device is remembered: risk_based_prompting does not look at new_device"
        yield Advice("/remember_device", "without_effect", detail)


def _levels(document: PolicyDocument) -> Iterator[tuple[str, Assurance, str]]:
    if document.mfa_enforcement.all_users or document.mfa_enforcement.groups:
        yield "/assurance/default", document.assurance.default, "everybody who is asked for a factor"
    for minimum in document.assurance.minimum_for_groups:
        yield "/assurance/minimum_for_groups", minimum.level, f"the group {minimum.group}"
