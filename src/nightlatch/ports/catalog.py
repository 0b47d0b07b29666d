"""What all requests share and processes cache: applications, policy versions, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from nightlatch.domain.records import (
    ApiKey,
    Application,
    DataKey,
    IdempotentAnswer,
    PolicyVersion,
    SigningKey,
)


class KeptApplication(msgspec.Struct, frozen=True):
    """An application with its keys, and the version of its root."""

    application: Application
    keys: tuple[ApiKey, ...]
    version: int


class KeptKeys(msgspec.Struct, frozen=True):
    """All data and signing keys, and the version of their root (0: none were made yet)."""

    data_keys: tuple[DataKey, ...]
    signing_keys: tuple[SigningKey, ...]
    version: int


class Catalog(Protocol):
    """Point reads and short lists; ``generation`` moves with every shared change."""

    async def generation(self) -> int: ...

    async def application(self, application_id: str) -> KeptApplication | None: ...

    async def application_by_key(self, key_hash: bytes) -> KeptApplication | None: ...

    async def applications(self) -> Sequence[KeptApplication]: ...

    async def policy(self, version: int | None = None) -> PolicyVersion | None:
        """This version, or the newest."""
        ...

    async def policy_versions(self, *, before: int | None, limit: int) -> Sequence[PolicyVersion]: ...

    async def keys(self) -> KeptKeys: ...

    async def idempotent_answer(self, id_: str) -> tuple[IdempotentAnswer, int] | None:
        """The kept answer with the version of its root."""
        ...
