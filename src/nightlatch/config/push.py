"""``[push]``: which services ring phones, and as whom we speak to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from nightlatch.adapters.delivery.push_web import KNOWN_SERVICES
from nightlatch.config.loopback import unfit
from nightlatch.config.schema import ApnsSettings, GivenPush, GivenSettings, PushSettings
from nightlatch.config.sources import Problem, Sources

_APNS = ("apns_key_file", "apns_key_id", "apns_team_id", "apns_topic")


def push_of(sources: Sources, given: GivenSettings) -> PushSettings:
    """Everything of ``[push]``. What is wrong is added to the problems of ``sources``."""
    push = given.push
    sources.problems += _addresses(sources, push)
    return PushSettings(
        services=push.services or KNOWN_SERVICES,
        contact=push.contact,
        ntfy_servers=push.ntfy_servers,
        ntfy_token=push.ntfy_token,
        fcm_account=_account(sources, push),
        fcm_url=push.fcm_url,
        apns=_apns(sources, push),
    )


def _addresses(sources: Sources, push: GivenPush) -> Iterator[Problem]:
    for name in ("services", "ntfy_servers"):
        for address in getattr(push, name):
            if wrong := unfit(address.replace("*.", "any.", 1)):
                yield Problem(sources.where(f"push.{name}"), f"push.{name}: {address} {wrong[0]}", wrong[1])
    if push.contact is not None and not push.contact.startswith(("mailto:", "https://")):
        meant = f"mailto:{push.contact}" if "@" in push.contact else None
        yield Problem(sources.where("push.contact"), "push.contact must begin with mailto: or https://", meant)


def _read(sources: Sources, name: str, path: str) -> str | None:
    full = sources.base_of(name) / path
    try:
        return full.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{name}: {full} cannot be read ({type(error).__name__})"
        sources.problems.append(Problem(sources.where(name), problem))
        return None


def _account(sources: Sources, push: GivenPush) -> Mapping[str, Any] | None:
    name = "push.fcm_account_file"
    if push.fcm_account_file is None or (text := _read(sources, name, push.fcm_account_file)) is None:
        return None
    try:
        account = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        account = {}
    if not {"project_id", "client_email", "private_key", "token_uri"} <= account.keys():
        problem = f"{name}: this is no service account's JSON with project_id, client_email, private_key, token_uri"
        sources.problems.append(Problem(sources.where(name), problem))
        return None
    return account


def _apns(sources: Sources, push: GivenPush) -> ApnsSettings | None:
    given = [name for name in _APNS if getattr(push, name) is not None]
    if not given:
        return None
    missing = [name for name in _APNS if name not in given]
    if missing:
        problem = f"push.{given[0]} needs push.{missing[0]} beside it"
        sources.problems.append(Problem(sources.where(f"push.{given[0]}"), problem))
        return None
    key = _read(sources, "push.apns_key_file", push.apns_key_file or "")
    if key is None:
        return None
    return ApnsSettings(
        key=key,
        key_id=push.apns_key_id or "",
        team_id=push.apns_team_id or "",
        topic=push.apns_topic or "",
        url=push.apns_url,
    )
