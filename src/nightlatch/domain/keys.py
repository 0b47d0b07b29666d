"""Which keys are in force at an instant.

A key that was made a moment ago is known to its maker only: what it sealed or signed, no other
process could open or check. So a data key rests until every process has surely loaded it, and a
signing key until every verifier has surely read its public part.
"""

from __future__ import annotations

from collections.abc import Sequence

from nightlatch.domain.crypto.sealing import Place
from nightlatch.domain.records import DataKey, IdempotentAnswer, SigningKey
from nightlatch.domain.time import HOUR, MINUTE, SECOND

DATA_KEY = "dk"
MAC_KEY = "mac"

SETTLING = 10 * SECOND
"""Processes notice a new key within 2 s."""

ANNOUNCING = 10 * MINUTE
"""Verifiers may keep the public keys for 5 minutes."""

SUPERSEDED_FOR = HOUR
"""How long a signing key that no longer signs is published. Assertions live 5 minutes."""


def sealing_keys(keys: Sequence[DataKey]) -> list[DataKey]:
    """The data keys that are not retired, oldest first."""
    data_keys = [key for key in keys if key.id.startswith(DATA_KEY + "_")]
    return sorted((key for key in data_keys if key.retired_at is None), key=lambda key: (key.created_at, key.id))


def sealing_key(in_force: Sequence[DataKey], now: int) -> DataKey:
    """Of ``sealing_keys``, the newest that has settled; the oldest where none has."""
    settled = (key for key in reversed(in_force) if key.created_at + SETTLING <= now)
    return next(settled, in_force[0])


def signing_keys(keys: Sequence[SigningKey]) -> list[SigningKey]:
    """The signing keys that were not withdrawn, oldest first."""
    return sorted((key for key in keys if key.retired_at is None), key=lambda key: (key.created_at, key.kid))


def signing_key(in_force: Sequence[SigningKey], now: int) -> SigningKey:
    """Of ``signing_keys``, the newest that was announced long enough; else the oldest."""
    announced = (key for key in reversed(in_force) if key.created_at + ANNOUNCING <= now)
    return next(announced, in_force[0])


def published_keys(in_force: Sequence[SigningKey], now: int) -> list[SigningKey]:
    """Of ``signing_keys``, those that verifiers may need, newest first: the one that signs, any
    that soon will, and those that did within ``SUPERSEDED_FOR``.
    """
    successors = [*in_force[1:], None]
    kept = [
        key
        for key, successor in zip(in_force, successors, strict=True)
        if successor is None or now < successor.created_at + ANNOUNCING + SUPERSEDED_FOR
    ]
    return kept[::-1]


def signing_key_place(kid: str) -> Place:
    """Where the private part of a signing key is sealed."""
    return Place("signing_keys", kid, "", "sealed")


def answer_place(answer: IdempotentAnswer) -> Place:
    """Where a kept answer is sealed."""
    return Place("idempotent_answers", answer.id, "", "sealed")
