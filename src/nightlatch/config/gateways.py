"""``[sms.gateways.NAME]``: tables whose names are the operator's, and whose options depend on their kind.

Their order is the order in which they are tried. Secrets come from ``NIGHTLATCH_SMS__NAME__OPTION`` or from the file that
``OPTION_file`` names, never from ``nightlatch.toml``, which people copy into tickets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Meta
from msgspec.structs import FieldInfo

from nightlatch.adapters.delivery.options import KINDS, SECRET, GatewayOptions, KannelOptions
from nightlatch.config.loopback import unfit
from nightlatch.config.sources import (
    ENVIRONMENT_PREFIX,
    GATEWAYS,
    Problem,
    Sources,
    Value,
    complaint,
    description_of,
    nearest,
    typed,
)

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
KIND = "kind"
FILE = "_file"

Options = Mapping[str, Value]


def gateways_of(sources: Sources) -> tuple[GatewayOptions, ...]:
    """Every gateway that was given, in order. What is wrong is added to the problems of ``sources``."""
    made = [_gateway(sources.problems, name, options, sources.gateways) for name, options in sources.gateways.items()]
    return tuple(gateway for gateway in made if gateway is not None)


def options_of(kind: type[GatewayOptions]) -> dict[str, FieldInfo]:
    """The options of a kind by name."""
    return {field.name: field for field in msgspec.structs.fields(kind) if field.name != "name"}


def is_secret(field: FieldInfo) -> bool:
    """Whether an option may not stand in ``nightlatch.toml``."""
    return any(isinstance(meta, Meta) and meta.extra == SECRET for meta in getattr(field.type, "__metadata__", ()))


def variable_of(gateway: str, option: str) -> str:
    """The variable that gives this option."""
    return f"{ENVIRONMENT_PREFIX}SMS__{gateway.upper()}__{option.upper()}"


def _gateway(problems: list[Problem], name: str, options: Options, others: Mapping[str, Any]) -> GatewayOptions | None:
    where = next(iter(options.values())).where
    shown = f"{GATEWAYS}{name}"
    if not NAME.fullmatch(name) or "" in options:
        problems.append(
            Problem(where, f"{shown} must be a table, named in small letters, digits and single underscores")
        )
        return None
    if KIND not in options:
        near = nearest(name, [other for other, given in others.items() if KIND in given])
        problems.append(Problem(where, f"{shown} has no kind: one of {', '.join(KINDS)}", near))
        return None
    kind = KINDS.get(str(options[KIND].raw))
    if kind is None:
        near = nearest(str(options[KIND].raw), KINDS)
        problems.append(Problem(options[KIND].where, f"{shown}.kind must be one of {', '.join(KINDS)}", near))
        return None
    found = len(problems)
    values = _values(problems, name, kind, options)
    problems += _missing(name, kind, values, where) if len(problems) == found else ()
    if len(problems) > found:
        return None
    gateway = kind(**values, name=name)
    problems += _addresses(gateway, options)
    return gateway


def _values(problems: list[Problem], name: str, kind: type[GatewayOptions], options: Options) -> dict[str, Any]:
    known = options_of(kind)
    secrets = {f"{option}{FILE}": option for option, field in known.items() if is_secret(field)}
    values: dict[str, Any] = {}
    for option, value in options.items():
        shown = f"{GATEWAYS}{name}.{option}"
        try:
            if option in secrets:
                values[secrets[option]] = _typed(shown, known[secrets[option]], _content(value), value.where)
            elif option in known:
                values[option] = _given(shown, name, option, known[option], value)
            elif option != KIND:
                near = nearest(option, [*known, *secrets])
                problems.append(Problem(value.where, f"unknown setting {shown}", near))
        except _Wrong as wrong:
            problems.append(wrong.problem)
    return values


class _Wrong(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def _given(shown: str, gateway: str, option: str, field: FieldInfo, value: Value) -> Any:
    variable = variable_of(gateway, option)
    if is_secret(field) and value.where != variable:
        raise _Wrong(Problem(value.where, f"{shown} is taken from {variable}, or from a file: {option}{FILE}"))
    return _typed(shown, field, value.raw, value.where)


def _typed(shown: str, field: FieldInfo, raw: Any, where: str) -> Any:
    try:
        return typed(raw, field)
    except msgspec.ValidationError as error:
        raise _Wrong(Problem(where, complaint(shown, field, error))) from None


def _content(value: Value) -> str:
    try:
        return (value.base / str(value.raw)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise _Wrong(Problem(value.where, f"{value.raw} cannot be read: {reason}")) from None


def _missing(name: str, kind: type[GatewayOptions], values: Mapping[str, Any], where: str) -> Iterator[Problem]:
    for option, field in options_of(kind).items():
        if field.required and option not in values:
            how = f" ({variable_of(name, option)}, or {option}{FILE})" if is_secret(field) else ""
            yield Problem(where, f"{GATEWAYS}{name} needs {option}{how}: {description_of(field)}")


def _addresses(gateway: GatewayOptions, options: Options) -> Iterator[Problem]:
    """Codes and passwords travel by https; Kannel speaks http on networks of the operator's own."""
    for option in ("url", "receipts_url"):
        url = getattr(gateway, option, None)
        if url is None:
            continue
        where = options[option].where if option in options else "default"
        if wrong := unfit(url, plain=isinstance(gateway, KannelOptions)):
            yield Problem(where, f"{GATEWAYS}{gateway.name}.{option} {wrong[0]}", wrong[1])
