"""A policy document in its normal form: every value written out, so that nothing depends on knowing a default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from nightlatch.domain.policy import durations
from nightlatch.domain.policy.document import PolicyDocument
from nightlatch.domain.policy.reading import read_as_no_text

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")


def to_plain(document: PolicyDocument) -> dict[str, Any]:
    """The document as dicts, lists and texts, as JSON would hold it; ``load`` takes it back."""
    plain: dict[str, Any] = {"mfa_enforcement": _enforcement(document)}
    if document.risk_based_prompting is not None:
        plain["risk_based_prompting"] = [
            {item.condition.value: item.effect.value} for item in document.risk_based_prompting
        ]
    plain["assurance"] = {"default": document.assurance.default.value}
    if document.assurance.minimum_for_groups:
        plain["assurance"]["minimum_for_groups"] = {
            minimum.group: minimum.level.value for minimum in document.assurance.minimum_for_groups
        }
    plain["factors"] = _factors(document)
    plain["remember_device"] = {"for": durations.write(document.remember_device.duration)}
    if document.remember_device.groups_except:
        plain["remember_device"]["groups_except"] = list(document.remember_device.groups_except)
    plain["first_factor"] = {
        "confirm": document.first_factor.confirm.value,
        "hold": durations.write(document.first_factor.hold),
    }
    if document.sensitive_actions is not None:
        plain["sensitive_actions"] = list(document.sensitive_actions)
    plain["recovery"] = {
        "backup_codes": document.recovery.backup_codes,
        "admin_recovery": document.recovery.admin_recovery.value,
        "recovery_timeout": durations.write(document.recovery.timeout),
        "cooling_off": durations.write(document.recovery.cooling_off),
    }
    if document.report_only is not None:
        plain["report_only"] = to_plain(document.report_only)
    return plain


def to_yaml(document: PolicyDocument) -> str:
    """The document as YAML; ``load`` takes it back."""
    return "\n".join(_lines(to_plain(document))) + "\n"


def _lines(plain: dict[str, Any], indent: str = "") -> Iterator[str]:
    for key, value in plain.items():
        name = indent + _text(key)
        if isinstance(value, dict):
            yield f"{name}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            yield f"{name}:"
            yield from (f"{indent}  - {line}" for item in value for line in _lines(item))
        elif isinstance(value, list):
            yield f"{name}: [{', '.join(map(_text, value))}]"
        else:
            yield f"{name}: {_text(value)}"


def _text(value: str | int | bool) -> str:
    """A scalar as every version of YAML reads it: in quotes unless nobody could take it for anything but text."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not read_as_no_text(value):
        return value
    return msgspec.json.encode(value).decode()


def _enforcement(document: PolicyDocument) -> dict[str, Any]:
    enforcement = document.mfa_enforcement
    plain: dict[str, Any] = {"all_users": enforcement.all_users}
    if enforcement.groups:
        plain["groups"] = list(enforcement.groups)
    plain["grace_period"] = durations.write(enforcement.grace_period)
    plain["exclude_service_accounts"] = enforcement.exclude_service_accounts
    return plain


def _factors(document: PolicyDocument) -> dict[str, Any]:
    plain: dict[str, Any] = {"allowed": [kind.value for kind in document.factors.allowed]}
    if "sms" in document.factors.allowed:
        plain["sms"] = {"only_with_alternative": document.factors.sms_only_with_alternative}
    return plain
