"""Whether what is remembered still holds: other processes write too.

Every shared change moves the database's generation. A watch asks for it twice a second; what was
remembered counts only while the last answer is young. A watch that hangs thus never keeps a
revoked key alive: the caches stand aside, and every request asks the database.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nightlatch.domain.time import SECOND
from nightlatch.ports.catalog import Catalog
from nightlatch.ports.world import Clock

LOOK_EVERY = SECOND // 2
TRUSTED_FOR = 2 * SECOND


class Shared:
    """The generation that this process knows, and who must be told when it moves."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._known: int | None = None
        self._looked_at = -TRUSTED_FOR
        self._epoch = 0
        self._reloads: list[Callable[[], Awaitable[None]]] = []

    def on_change(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Call this whenever something shared was changed."""
        self._reloads.append(reload)

    @property
    def epoch(self) -> int:
        """Grows when what was remembered must be forgotten."""
        return self._epoch

    def trusted(self) -> bool:
        """Whether the last look is young enough; a clock that was set back is no proof of it."""
        return 0 <= self._clock.now() - self._looked_at < TRUSTED_FOR

    async def look(self) -> None:
        """Ask for the generation, and reload where it moved. Raises ``Unavailable``."""
        asked_at = self._clock.now()
        generation = await self._catalog.generation()
        if generation != self._known:
            await self.reload()
        self._known, self._looked_at = generation, asked_at

    async def reload(self) -> None:
        """Forget everything, and load again what must be at hand."""
        self._epoch += 1
        for reload in self._reloads:
            await reload()
