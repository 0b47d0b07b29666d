"""The catalog with the entries that every request needs kept at hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from nightlatch.adapters.cache.shared import Shared
from nightlatch.domain.records import IdempotentAnswer, PolicyVersion
from nightlatch.ports.catalog import Catalog, KeptApplication, KeptKeys

T = TypeVar("T")

CAPACITY = 1024
"""Entries. Only what exists is kept, so that guessing keys fills nothing."""

_NEWEST = ("policy",)


class CachedCatalog:
    """A ``Catalog`` that asks the one below for what it does not remember or may not trust."""

    def __init__(self, catalog: Catalog, shared: Shared) -> None:
        self._catalog = catalog
        self._shared = shared
        self._epoch = shared.epoch
        self._entries: dict[tuple[object, ...], object] = {}

    async def generation(self) -> int:
        """As it is now."""
        return await self._catalog.generation()

    async def application(self, application_id: str) -> KeptApplication | None:
        """Remembered."""
        return await self._remembered(
            ("application", application_id), lambda: self._catalog.application(application_id)
        )

    async def application_by_key(self, key_hash: bytes) -> KeptApplication | None:
        """Remembered."""
        return await self._remembered(("key", key_hash), lambda: self._catalog.application_by_key(key_hash))

    async def applications(self) -> Sequence[KeptApplication]:
        """As they are now."""
        return await self._catalog.applications()

    async def policy(self, version: int | None = None) -> PolicyVersion | None:
        """The newest is remembered; that there is none as well, since each request asks."""
        if version is not None:
            return await self._catalog.policy(version)

        async def newest() -> tuple[PolicyVersion | None]:
            return (await self._catalog.policy(),)

        (found,) = await self._remembered(_NEWEST, newest) or (None,)
        return found

    async def policy_versions(self, *, before: int | None, limit: int) -> Sequence[PolicyVersion]:
        """As they are now."""
        return await self._catalog.policy_versions(before=before, limit=limit)

    async def keys(self) -> KeptKeys:
        """As they are now; the ring remembers."""
        return await self._catalog.keys()

    async def idempotent_answer(self, id_: str) -> tuple[IdempotentAnswer, int] | None:
        """As it is now."""
        return await self._catalog.idempotent_answer(id_)

    async def _remembered(self, key: tuple[object, ...], ask: Callable[[], Awaitable[T | None]]) -> T | None:
        if self._epoch != self._shared.epoch:
            self._entries.clear()
            self._epoch = self._shared.epoch
        if not self._shared.trusted():
            return await ask()
        if key in self._entries:
            return self._entries[key]  # type: ignore[return-value]  # the key tells the type
        epoch = self._epoch
        found = await ask()
        # An answer that was on its way while something changed may be the old one.
        if found is not None and epoch == self._shared.epoch == self._epoch:
            if len(self._entries) >= CAPACITY:
                self._entries.pop(next(iter(self._entries)))
            self._entries[key] = found
        return found
