"""A policy document made ready to be asked: once per version, so that a decision only looks things up."""

from __future__ import annotations

import msgspec

from nightlatch.domain.assurance import Assurance, FirstFactor, reachable
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.registry import REGISTRY, by_strength
from nightlatch.domain.policy.document import Condition, PolicyDocument, Prompt

LOGIN = "login"
MANAGE_FACTORS = "manage_factors"
"""The action that changes how a person signs in. It is sensitive whatever a document lists (B1, E4)."""


class CompiledPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the policy.

    ``prompts`` None: a factor is asked for every time. ``sensitive`` None: every action but ``login``. ``kinds`` are
    those that the document allows and that work here, strongest first; ``enrollable`` those of them that a person can
    add. ``remember_for`` None: no approval is remembered, since nothing would ask whether one was.
    """

    version: int
    document: PolicyDocument
    everyone: bool
    groups: frozenset[str]
    grace: int
    excludes_services: bool
    prompts: dict[Condition, Prompt] | None
    sensitive: frozenset[str] | None
    default: Assurance
    minimums: dict[str, Assurance]
    kinds: tuple[FactorKind, ...]
    enrollable: tuple[FactorKind, ...]
    remember_for: int | None
    never_remembered: frozenset[str]
    report_only: CompiledPolicy | None = None

    def covers(self, groups: tuple[str, ...] | frozenset[str]) -> bool:
        """Whether somebody in these groups must hold a factor."""
        return self.everyone or not self.groups.isdisjoint(groups)

    def is_sensitive(self, action: str) -> bool:
        """Whether this action needs more than a sign-in does."""
        if action == MANAGE_FACTORS:
            return True
        return action != LOGIN if self.sensitive is None else action in self.sensitive


def compile_policy(document: PolicyDocument, version: int) -> CompiledPolicy:
    """Make a document ready. ``version`` is that of the row that holds it; 0 for the built-in default."""
    enforcement = document.mfa_enforcement
    prompts = document.risk_based_prompting
    actions = document.sensitive_actions
    kinds = tuple(by_strength(document.factors.allowed))
    looks_at_devices = document.effect_of(Condition.NEW_DEVICE) is not None
    return CompiledPolicy(
        version=version,
        document=document,
        everyone=enforcement.all_users,
        groups=frozenset(enforcement.groups),
        grace=enforcement.grace_period,
        excludes_services=enforcement.exclude_service_accounts,
        prompts=None if prompts is None else {item.condition: item.effect for item in prompts},
        sensitive=None if actions is None else frozenset(actions),
        default=document.assurance.default,
        minimums={minimum.group: minimum.level for minimum in document.assurance.minimum_for_groups},
        kinds=kinds,
        enrollable=tuple(kind for kind in kinds if REGISTRY[kind].enrollable),
        remember_for=document.remember_device.duration if looks_at_devices else None,
        never_remembered=frozenset(document.remember_device.groups_except),
        report_only=None if document.report_only is None else compile_policy(document.report_only, version),
    )


def reach(kind: str, first_factor: str | None) -> Assurance:
    """The highest level that a factor of this kind proves beside the application's own first factor."""
    return _REACH[first_factor == "pwd"].get(kind, Assurance.AAL1)


def _reaches(first_factor: FirstFactor | None) -> dict[str, Assurance]:
    return {kind.value: reachable((kind,), first_factor) for kind in FactorKind}


_REACH = {True: _reaches("pwd"), False: _reaches(None)}
