"""Settings: ``nightlatch.toml``, then ``NIGHTLATCH_*``, then flags; what is later wins.

An unknown name or a bad value stops the start: a misspelt setting that is silently ignored is a
lock that was never turned.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import FieldInfo

from nightlatch.adapters.delivery.options import KINDS
from nightlatch.config.gateways import is_secret, options_of, variable_of
from nightlatch.config.loopback import is_loopback
from nightlatch.config.mail import mail_of
from nightlatch.config.push import push_of
from nightlatch.config.rules import (
    brand_of,
    database_of,
    default_data_dir,
    public_url_of,
    rules,
)
from nightlatch.config.schema import (
    BrandSettings,
    GivenMail,
    GivenPush,
    GivenSettings,
    GivenSms,
    PushSettings,
    Settings,
    SmsSettings,
)
from nightlatch.config.sms import sms_of
from nightlatch.config.sources import (
    ConfigError,
    Problem,
    Sources,
    Value,
    description_of,
    environment_name,
    find_file,
    read_environment,
    read_file,
)

__all__ = [
    "ConfigError",
    "Problem",
    "SettingInfo",
    "Settings",
    "SmsSettings",
    "default_data_dir",
    "gateway_reference",
    "is_loopback",
    "load_settings",
    "reference",
]


class SettingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the reference of settings."""

    name: str
    environment: str
    default: str
    description: str


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    alone: bool = False,
) -> Settings:
    """Read and check all settings.

    ``flags`` are by setting name; None values count as not given. ``file`` overrides the search
    (``NIGHTLATCH_CONFIG``, ``./nightlatch.toml``, ``/etc/nightlatch/nightlatch.toml``).
    With ``alone`` only the flags count. Raises ``ConfigError`` with every problem that was found.
    """
    environment = os.environ if environ is None else environ
    path = None if alone else find_file(file, environment)
    sources = Sources(_known())
    if path is not None:
        read_file(sources, path)
    if not alone:
        read_environment(sources, environment)
    for name, raw in (flags or {}).items():
        if raw is not None:
            sources.give(name, Value(raw, _FLAGS.get(name, f"--{name}"), Path.cwd()))
    given = sources.convert(GivenSettings)
    sms = sms_of(sources, given)
    push = push_of(sources, given)
    mail = mail_of(sources, given)
    problems = [*sources.problems, *rules(sources, given)]
    if problems:
        raise ConfigError(problems)
    return msgspec.structs.replace(_complete(sources, given, sms, push, path, environment), mail=mail)


def reference() -> list[SettingInfo]:
    """Every setting, for the reference page."""
    return [
        SettingInfo(
            name=name,
            environment=environment_name(name),
            default=_COMPUTED_DEFAULTS.get(name, _shown(field.default)),
            description=description_of(field),
        )
        for name, field in _known().items()
    ]


def gateway_reference() -> dict[str, list[SettingInfo]]:
    """Every option of a gateway by kind, for the reference page. ``environment`` alone takes secrets."""
    return {
        kind: [
            SettingInfo(
                name=option,
                environment=variable_of("NAME", option),
                default="needed" if field.required else _shown(field.default),
                description=description_of(field) + (f" (or {option}_file)" if is_secret(field) else ""),
            )
            for option, field in options_of(options).items()
        ]
        for kind, options in KINDS.items()
    }


_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "brand": BrandSettings,
    "sms": GivenSms,
    "mail": GivenMail,
    "push": GivenPush,
}

_FLAGS = {"data_dir": "--data", "database_url": "--database"}

_COMPUTED_DEFAULTS = {
    "database_url": "sqlite:///DATA_DIR/nightlatch.db",
    "data_dir": "~/.local/share/nightlatch",
    "public_url": "http://localhost:PORT",
    "issuer": "the brand's name",
    "key_file": "DATA_DIR/nightlatch.key",
}


def _shown(default: object) -> str:
    return "" if default in (None, (), {}, msgspec.NODEFAULT) else str(default)


def _known() -> dict[str, FieldInfo]:
    """The fields by dotted name."""
    known: dict[str, FieldInfo] = {}
    for field in msgspec.structs.fields(GivenSettings):
        if section := _SECTIONS.get(field.name):
            known |= {f"{field.name}.{part.name}": part for part in msgspec.structs.fields(section)}
        else:
            known[field.name] = field
    return known


def _complete(
    sources: Sources,
    given: GivenSettings,
    sms: SmsSettings,
    push: PushSettings,
    file: Path | None,
    environ: Mapping[str, str],
) -> Settings:
    base = sources.base_of
    data_dir = base("data_dir") / given.data_dir if given.data_dir else default_data_dir(environ)
    key_file = base("key_file") / given.key_file if given.key_file else data_dir / "nightlatch.key"
    return Settings(
        database_url=database_of(given.database_url, base("database_url"), data_dir),
        database_direct_url=given.database_direct_url,
        valkey_url=given.valkey_url,
        data_dir=data_dir,
        public_url=public_url_of(given.public_url, given.port),
        issuer=given.issuer or given.brand.name.replace(":", " "),
        trusted_proxies=given.trusted_proxies,
        host=given.host,
        port=given.port,
        workers=given.workers,
        key_file=key_file,
        key=given.key,
        metrics_token=given.metrics_token,
        brand=brand_of(given.brand),
        sms=sms,
        push=push,
        file=file,
    )
