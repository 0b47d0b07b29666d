"""Factors as the wire shows them; no secret is in here."""

from __future__ import annotations

import datetime as dt
from typing import TypedDict

from nightlatch.app.messages import FactorAnswer
from nightlatch.app.times import optional_moment
from nightlatch.domain.factors import backup_codes
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import Pairing, state_of
from nightlatch.domain.records import Factor, FactorState, FactorStatus
from nightlatch.domain.time import moment


class FactorFields(TypedDict):
    """The fields that all answers about a factor share."""

    id: str
    kind: FactorKind
    status: FactorStatus
    label: str | None
    created_at: dt.datetime
    activated_at: dt.datetime | None
    last_used_at: dt.datetime | None
    expires_at: dt.datetime | None
    codes_left: int | None
    hint: str | None
    pairing: Pairing | None


def factor_fields(factor: Factor, state: FactorState | None) -> FactorFields:
    """What may be told of a factor at any time."""
    return FactorFields(
        id=factor.id,
        kind=factor.kind,
        status=factor.status,
        label=factor.label,
        created_at=moment(factor.created_at),
        activated_at=optional_moment(factor.activated_at),
        last_used_at=optional_moment(state.last_used_at if state else None),
        expires_at=optional_moment(factor.expires_at),
        codes_left=codes_left(factor, state),
        hint=factor.public.get("hint"),
        pairing=pairing_of(factor),
    )


def factor_answer(factor: Factor, state: FactorState | None) -> FactorAnswer:
    """A factor."""
    return FactorAnswer(**factor_fields(factor, state))


def codes_left(factor: Factor, state: FactorState | None) -> int | None:
    """How many backup codes are unused; None for other kinds."""
    if factor.kind is not FactorKind.BACKUP_CODES:
        return None
    used = max(0, state.counter) if state else 0
    return backup_codes.left(used, int(factor.public.get("count", backup_codes.COUNT)))


def pairing_of(factor: Factor) -> Pairing | None:
    """How far a phone is paired; None once it counts, and for other kinds."""
    if factor.kind is not FactorKind.PUSH or factor.status is FactorStatus.ACTIVE:
        return None
    return state_of(factor.public).pairing
