"""The policy document: what an operator wrote, typed. Durations are µs; every default is stated here."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from nightlatch.domain.assurance import Assurance
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.time import DAY, HOUR


class Condition(StrEnum):
    """What may make a sign-in risky."""

    NEW_DEVICE = "new_device"
    NEW_LOCATION = "new_location"
    SENSITIVE_ACTION = "sensitive_action"


class Prompt(StrEnum):
    """What a condition asks for: a factor, or a factor proved in this very authentication."""

    PROMPT_MFA = "prompt_mfa"
    REQUIRE_MFA = "require_mfa"


class AdminRecovery(StrEnum):
    """How operators recover a person who lost every factor."""

    VERIFY_WITH_ID = "verify_with_id"


class Confirm(StrEnum):
    """What adding a first factor needs beside the password, in ascending order."""

    NONE = "none"
    VERIFIED_ADDRESS = "verified_address"
    INVITATION = "invitation"


class Enforcement(msgspec.Struct, frozen=True, kw_only=True):
    """Who must hold a factor. ``groups`` matter only where ``all_users`` is false; with neither, nobody must."""

    all_users: bool
    groups: tuple[str, ...] = ()
    grace_period: int = 0
    exclude_service_accounts: bool = False


class GroupMinimum(msgspec.Struct, frozen=True, kw_only=True):
    """A level below which nobody of this group signs in."""

    group: str
    level: Assurance


class AssuranceLevels(msgspec.Struct, frozen=True, kw_only=True):
    """The level that enforcement asks for, and what some groups need at least."""

    default: Assurance = Assurance.AAL2
    minimum_for_groups: tuple[GroupMinimum, ...] = ()


class Factors(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds of factors that count. ``sms_only_with_alternative``: nobody may add SMS as the only way in."""

    allowed: tuple[FactorKind, ...] = tuple(FactorKind)
    sms_only_with_alternative: bool = True


class RememberDevice(msgspec.Struct, frozen=True, kw_only=True):
    """How long an approval may remember a device, and for whom it never does."""

    duration: int = 14 * DAY
    groups_except: tuple[str, ...] = ()


class FirstFactor(msgspec.Struct, frozen=True, kw_only=True):
    """What adding a first factor needs, and how long it then rests before it counts."""

    confirm: Confirm = Confirm.NONE
    hold: int = 0


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """Ways back in. ``timeout`` is counted from the end of ``cooling_off``."""

    backup_codes: int = 10
    admin_recovery: AdminRecovery = AdminRecovery.VERIFY_WITH_ID
    timeout: int = 24 * HOUR
    cooling_off: int = 24 * HOUR


class Prompting(msgspec.Struct, frozen=True, kw_only=True):
    """A condition and what it asks for where it holds."""

    condition: Condition
    effect: Prompt


class PolicyDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. Without ``risk_based_prompting`` a factor is asked for every time; ``sensitive_actions`` None means
    every action but ``login``."""

    mfa_enforcement: Enforcement
    risk_based_prompting: tuple[Prompting, ...] | None = None
    recovery: Recovery = Recovery()
    assurance: AssuranceLevels = AssuranceLevels()
    factors: Factors = Factors()
    remember_device: RememberDevice = RememberDevice()
    first_factor: FirstFactor = FirstFactor()
    sensitive_actions: tuple[str, ...] | None = None
    report_only: PolicyDocument | None = None

    def effect_of(self, condition: Condition) -> Prompt | None:
        """What this condition asks for; None where it is not looked at."""
        return next((item.effect for item in self.risk_based_prompting or () if item.condition is condition), None)
