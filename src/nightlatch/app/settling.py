"""Refusals that leave a trace: what is stored with a no is stored before anybody hears it (G1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nightlatch.app.kernel import Decided, transact
from nightlatch.domain.errors import Refusal
from nightlatch.ports.store import Snapshot, Store, UserKey

T = TypeVar("T")


async def settle(store: Store, key: UserKey, decide: Callable[[Snapshot], Awaitable[Decided[T | Refusal]]]) -> T:
    """As ``transact``; an answer that is a ``Refusal`` is raised once its change is stored.

    A refusal that ``decide`` raises itself leaves nothing behind: keep that for requests that say nothing about
    anybody, such as a bad field or an unknown name.
    """
    return raised(await transact(store, key, decide))


def raised(answer: T | Refusal) -> T:
    """What was decided and stored; a refusal is raised only now."""
    if isinstance(answer, Refusal):
        raise answer
    return answer
