"""Tells a process that another one changed what it caches."""

from __future__ import annotations

from collections.abc import Callable

from nightlatch.adapters.sql.periodic import Periodic
from nightlatch.domain.time import SECOND
from nightlatch.ports.catalog import Catalog

# A revocation holds within two seconds, the time of the read itself included.
EVERY = SECOND


class GenerationWatch:
    """Reads the generation every second and calls ``changed`` when it moved; also when it cannot be read.

    Caches that nobody can vouch for are dropped: the next request asks the database itself, and fails closed.
    """

    def __init__(self, catalog: Catalog, changed: Callable[[], None]) -> None:
        self._catalog = catalog
        self._changed = changed
        self._seen: int | None = None
        self._periodic = Periodic("generation", self.look, every=EVERY, full=1)

    async def look(self) -> int:
        """Look once. Always 0: there is never more to do at once."""
        try:
            now = await self._catalog.generation()
        except BaseException:
            self._seen = None
            self._changed()
            raise
        if now != self._seen:
            self._seen = now
            self._changed()
        return 0

    def start(self) -> None:
        """Look until ``stop``, on this event loop."""
        self._periodic.start()

    async def stop(self) -> None:
        """Look no more."""
        await self._periodic.stop()
