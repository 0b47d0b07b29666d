"""Which keys are in force, and what each of them seals.

A key that was made a moment ago is known to its maker only: what it sealed or signed, no other
process could open or check. So every key rests for ``SETTLING`` before it is used, which is longer
than any process takes to notice it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from nightlatch.domain.crypto.sealing import Place
from nightlatch.domain.records import DataKey, IdempotentAnswer, SigningKey
from nightlatch.domain.time import HOUR, SECOND

SETTLING = 10 * SECOND
PUBLISHED_AFTER_RETIREMENT = HOUR
"""Assertions live minutes; who kept one a little longer can still check it."""

DATA_KEY = "dk"
MAC_KEY = "mac"


class _Aging(Protocol):
    @property
    def created_at(self) -> int: ...

    @property
    def retired_at(self) -> int | None: ...


K = TypeVar("K", bound=_Aging)


def sealing_keys(keys: Sequence[DataKey]) -> list[DataKey]:
    """The data keys that are not retired, oldest first."""
    return _in_force([key for key in keys if key.id.startswith(DATA_KEY + "_")])


def signing_keys(keys: Sequence[SigningKey]) -> list[SigningKey]:
    """The signing keys that are not retired, oldest first."""
    return _in_force(keys)


def in_use(keys: Sequence[K], now: int) -> K:
    """Of keys in force, oldest first, the newest that has settled; else the oldest."""
    return next((key for key in reversed(keys) if key.created_at + SETTLING <= now), keys[0])


def published(keys: Sequence[SigningKey], now: int) -> list[SigningKey]:
    """The signing keys that verifiers may need, newest first; a fresh one before it signs."""
    newest_first = sorted(keys, key=lambda key: (key.created_at, key.kid), reverse=True)
    return [key for key in newest_first if key.retired_at is None or now < key.retired_at + PUBLISHED_AFTER_RETIREMENT]


def signing_key_place(kid: str) -> Place:
    """Where the private part of a signing key is sealed."""
    return Place("signing_keys", kid, "", "sealed")


def answer_place(answer: IdempotentAnswer) -> Place:
    """Where a kept answer is sealed."""
    return Place("idempotent_answers", answer.id, "", "sealed")


def _in_force(keys: Sequence[K]) -> list[K]:
    return sorted((key for key in keys if key.retired_at is None), key=lambda key: key.created_at)
