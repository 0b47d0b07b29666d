"""Audit events: who did what, when, where, with which factor; personal fields sealed (G1 to G4)."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from nightlatch.app.context import Caller, Ports
from nightlatch.domain.crypto.sealing import Place, SealBroken, open_, seal
from nightlatch.domain.ids import EVENT
from nightlatch.domain.records import Event, Factor, User

AUDIT_KEY_BYTES = 32
NONCE_BYTES = 12


def audit_key_place(user_id: str) -> Place:
    """Where a user's audit key is sealed."""
    return Place("users", user_id, user_id, "audit_key")


def new_audit_key(ports: Ports, user_id: str) -> bytes:
    """A fresh sealed key for a user's personal fields; destroying it is erasure."""
    return ports.sealer.seal(ports.entropy.bytes(AUDIT_KEY_BYTES), audit_key_place(user_id))


def make_event(
    ports: Ports,
    caller: Caller,
    now: int,
    type_: str,
    *,
    outcome: Literal["success", "failure", "info"] = "success",
    user: User | None = None,
    user_id: str | None = None,
    application_id: str | None = None,
    authentication_id: str | None = None,
    factor_id: str | None = None,
    factor_kind: str | None = None,
    reason: str | None = None,
    data: dict[str, Any] | None = None,
    personal: dict[str, Any] | None = None,
) -> Event:
    """Build an event; ``personal`` is sealed under the user's key, or left out without one.

    ``user_id`` is for where only the id is known.
    """
    id_ = ports.new_id(EVENT, now)
    application = caller.application
    event = Event(
        id=id_,
        at=now,
        type=type_,
        actor=caller.actor,
        user_id=user.id if user else user_id,
        application_id=application_id or (application.id if application else None),
        authentication_id=authentication_id,
        factor_id=factor_id,
        factor_kind=factor_kind,
        outcome=outcome,
        reason=reason,
        data=data or {},
        personal=_sealed(ports, user, id_, personal),
        leaf=b"",
    )
    return msgspec.structs.replace(event, leaf=leaf_of(event))


def factor_event(
    ports: Ports,
    caller: Caller,
    now: int,
    type_: str,
    user: User,
    factor: Factor,
    *,
    outcome: Literal["success", "failure", "info"] | None = None,
    application_id: str | None = None,
    authentication_id: str | None = None,
    reason: str | None = None,
    data: dict[str, Any] | None = None,
    personal: dict[str, Any] | None = None,
) -> Event:
    """Build an event about a factor of this user: with a ``reason`` a failure, without one a success, if ``outcome`` does
    not say otherwise. ``personal`` is the factor's label unless it is given.
    """
    return make_event(
        ports,
        caller,
        now,
        type_,
        outcome=outcome or ("failure" if reason else "success"),
        user=user,
        application_id=application_id,
        authentication_id=authentication_id,
        factor_id=factor.id,
        factor_kind=factor.kind.value,
        reason=reason,
        data=data,
        personal={"label": factor.label} if personal is None else personal,
    )


def leaf_of(event: Event) -> bytes:
    """SHA-256 over everything the event says, sealed fields as they are stored."""
    said = msgspec.structs.replace(event, leaf=b"")
    return hashlib.sha256(b"\x00" + msgspec.json.encode(said, order="deterministic")).digest()


def personal_of(ports: Ports, user: User | None, event: Event) -> dict[str, Any] | None:
    """Open an event's personal fields; None once the user's key is gone.

    None as well where they were tampered with, which ``leaf`` shows: one spoilt row must not hide all others.
    """
    if user is None or not user.audit_key or event.personal is None:
        return None
    try:
        key = ports.sealer.open(user.audit_key, audit_key_place(user.id))
        plain = open_({user.id: key}, event.personal, _place(event.id, user.id))
    except SealBroken:
        return None
    opened: dict[str, Any] = msgspec.json.decode(plain)
    return opened


def _sealed(ports: Ports, user: User | None, event_id: str, personal: dict[str, Any] | None) -> bytes | None:
    kept = {name: value for name, value in (personal or {}).items() if value is not None}
    if user is None or not user.audit_key or not kept:
        return None
    key = ports.sealer.open(user.audit_key, audit_key_place(user.id))
    return seal(
        key,
        user.id,
        msgspec.json.encode(kept),
        aad=_place(event_id, user.id),
        nonce=ports.entropy.bytes(NONCE_BYTES),
    )


def _place(event_id: str, user_id: str) -> Place:
    return Place("events", event_id, user_id, "personal")
