"""Load, decide, commit; a conflict decides again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nightlatch.domain.errors import Throttled
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey

T = TypeVar("T")

REPEATS = 3
"""Who still loses is raced by other processes all the time, and is told to wait."""

Decided = tuple[Change | None, T]


async def transact(
    store: Store,
    key: UserKey,
    decide: Callable[[Snapshot], Awaitable[Decided[T]]],
    *,
    seen: Snapshot | None = None,
) -> T:
    """Decide on a fresh snapshot until the change is stored or there is none to store.

    ``decide`` may run several times and must do nothing outside; it raises a ``Refusal`` to
    refuse. ``seen`` is what the caller has just loaded with this key: it is decided on first. Who lost
    a race repeats when those of this process before it are done, so that a crowd on one account costs
    two decisions each and not four. Raises ``Throttled`` when the root was changed under it each time.
    """
    change, answer = await decide(seen or await store.load(key))
    if change is None or await store.commit(change) is Outcome.APPLIED:
        return answer
    async with store.turn(change.root):
        for _ in range(REPEATS):
            change, answer = await decide(await store.load(key))
            if change is None or await store.commit(change) is Outcome.APPLIED:
                return answer
    raise Throttled("Too many requests at once for the same account.", retry_after=1)
