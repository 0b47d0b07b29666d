"""Wait for what somebody else does: woken by a hint, and looking by oneself now and then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from zlib import crc32

from nightlatch.app.context import Ports
from nightlatch.domain.time import SECOND

T = TypeVar("T")

REREAD = 5 * SECOND
"""A wake-up is a hint and may be lost, so whoever waits looks again this often."""

TURNS = 20
"""A thousand who came at one moment, as after a restart, would hold up everybody else each time that they look again.
So each has one of these turns; those of one turn share statements, which they would not if all had their own time."""


async def look_until(
    ports: Ports, key: str, look: Callable[[], Awaitable[T]], done: Callable[[T], bool], *, wait: int, by: str = "api"
) -> T:
    """What ``look`` found when it was ``done``, or after ``wait`` µs. ``key`` is what a wake-up is sent to.

    Of one key some wait for each that asks, ``by`` which they are told apart; to more it tells how it stands at once.
    Raises ``Throttled`` where too many wait in this process.
    """
    with ports.waiters.place(f"{by}:{key}") as placed:
        return await (_awaited(ports, key, look, done, wait) if placed else look())


async def _awaited(ports: Ports, key: str, look: Callable[[], Awaitable[T]], done: Callable[[T], bool], wait: int) -> T:
    ends = ports.clock.now() + wait
    async with ports.wakeups.subscribe(key) as changed:
        while True:
            found, now = await look(), ports.clock.now()
            if done(found) or now >= ends:
                return found
            await changed.wait(min(ends - now, until_turn(key, now)))


def until_turn(key: str, now: int) -> int:
    """µs until whoever waits for this key looks again: at most ``REREAD``, and the fraction of a turn at least."""
    turn = REREAD // TURNS
    return max(turn, REREAD - (now + crc32(key.encode()) % TURNS * turn) % REREAD)
