"""Change a user's fields, disable and enable."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.devices import revoked_all
from nightlatch.app.events import make_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.messages import UserAnswer, UserPatch
from nightlatch.app.notices.addresses import addresses_changed
from nightlatch.app.users.answers import user_answer
from nightlatch.app.users.checks import (
    MOST_ADDRESSES,
    MOST_GROUPS,
    MOST_NETWORKS,
    check_kind_rules,
    checked_expiry,
)
from nightlatch.app.users.reference import existing, user_key
from nightlatch.domain import contact, naming
from nightlatch.domain.fields import Problems
from nightlatch.domain.records import Address, Event, Record, User, UserStatus
from nightlatch.ports.store import Change, Snapshot


async def change_user(ports: Ports, caller: Caller, ref: str, patch: UserPatch) -> UserAnswer:
    """Change what is sent. ``null`` clears what may be empty; the rules of the user's kind hold afterwards too.

    Raises ``NotFound`` and ``Invalid`` with every bad field. Disabling revokes all devices.
    """

    async def decide(snapshot: Snapshot) -> Decided[UserAnswer]:
        before = existing(snapshot)
        now = ports.clock.now()
        after = _changed(before, patch, now)
        fields = _differences(before, after)
        if not fields:
            return None, user_answer(before)
        after = replace(after, updated_at=now)
        puts: tuple[Record, ...] = (after,)
        events: tuple[Event, ...] = ()
        if "status" in fields and after.status is UserStatus.DISABLED:
            revoked, events = await revoked_all(ports, caller, after, now, reason="user_disabled")
            puts += revoked
        events = (_event(ports, caller, after, now, fields), *events)
        mails = await addresses_changed(ports, before, after, now)
        change = Change(root=after.id, expected=snapshot.version, puts=puts, new=mails, events=events)
        return change, user_answer(after)

    return await transact(ports.store, user_key(ref), decide)


def _changed(user: User, patch: UserPatch, now: int) -> User:
    problems = Problems()
    new: dict[str, Any] = {}
    for name, check in _OPTIONAL.items():
        value = getattr(patch, name)
        if value is not UNSET:
            new[name] = problems.optional(f"/{name}", check, value)
    for name, (check, most) in _LISTS.items():
        values = getattr(patch, name)
        if values is not UNSET:
            new[name] = problems.each(f"/{name}", check, values, most)
    for name in ("emails", "phones"):
        if name in new:
            new[name] = _kept(getattr(user, name), new[name])
    if patch.status is not UNSET:
        new["status"] = UserStatus(patch.status)
    changed = replace(user, **new)
    if problems.none_below("/owner", "/expires_at", "/networks"):
        check_kind_rules(problems, changed, now, expiry_changed=changed.expires_at != user.expires_at)
    problems.refuse()
    return changed


_OPTIONAL: dict[str, Any] = {
    "display_name": naming.display_name,
    "locale": contact.locale,
    "owner": naming.owner,
    "expires_at": checked_expiry,
}
_LISTS: dict[str, tuple[Any, int]] = {
    "groups": (naming.group_name, MOST_GROUPS),
    "emails": (contact.email, MOST_ADDRESSES),
    "phones": (contact.phone, MOST_ADDRESSES),
    "networks": (contact.network, MOST_NETWORKS),
}


def _kept(before: tuple[Address, ...], values: tuple[str, ...]) -> tuple[Address, ...]:
    """An address that stays is still verified; a new one is not, whoever sent it (R3)."""
    known = {address.value: address for address in before}
    return tuple(known.get(value) or Address(value) for value in values)


def _differences(before: User, after: User) -> list[str]:
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return [name for name in old if old[name] != new[name]]


def _event(ports: Ports, caller: Caller, user: User, now: int, fields: list[str]) -> Event:
    type_ = "user:changed"
    if fields == ["status"]:
        type_ = "user:enabled" if user.status is UserStatus.ACTIVE else "user:disabled"
    data = {"fields": fields, "status": user.status.value}
    return make_event(ports, caller, now, type_, user=user, data=data, personal={"username": user.username})
