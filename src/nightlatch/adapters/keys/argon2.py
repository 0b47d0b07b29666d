"""Argon2id (RFC 9106) in a pool of threads: one hash keeps a core busy for some 20 ms."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from nightlatch.domain.errors import Throttled
from nightlatch.domain.factors.backup_codes import ARGON2

T = TypeVar("T")

WAITING = 128
"""Hashes a thread that may wait: some three seconds. Who comes then is told to wait, and fills no memory."""


class Argon2Hasher:
    """A ``SlowHasher``: as many hashes at once as there are cores, the others wait in line, which has an end."""

    def __init__(self, threads: int | None = None) -> None:
        cores = os.cpu_count() or 1
        self._hasher = PasswordHasher(
            time_cost=ARGON2.passes,
            memory_cost=ARGON2.memory_kib,
            parallelism=ARGON2.lanes,
            type=Type.ID,
        )
        threads = min(threads or cores, cores)
        self._pool = ThreadPoolExecutor(threads, "argon2")
        self._waiting = 0
        self._most = threads * WAITING
        self._decoy = _decoy()

    async def hash(self, text: str) -> str:
        """The hash with its salt and parameters, as a PHC string."""
        return await self._run(lambda: self._hasher.hash(text))

    async def verify(self, hashed: str, text: str) -> bool:
        """Whether the text is what was hashed. A stored value that is no hash raises."""
        return await self._run(lambda: self._matches(hashed, text))

    async def dummy(self) -> None:
        """Cost what ``verify`` costs (H6)."""
        await self.verify(self._decoy, "another code")

    def close(self) -> None:
        """Let go of the threads; hashes that still wait are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._most:
            raise Throttled("Too many slow checks at once.", retry_after=1)
        self._waiting += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        # Also when its caller is gone: the thread works on.
        running.add_done_callback(self._done)
        return await running

    def _done(self, _running: asyncio.Future[Any]) -> None:
        self._waiting -= 1

    def _matches(self, hashed: str, text: str) -> bool:
        try:
            return self._hasher.verify(hashed, text)
        except VerifyMismatchError:
            return False


def _decoy() -> str:
    """A well-formed hash that no text has (but one of 2^256), made without hashing anything."""
    salt, digest = (base64.b64encode(os.urandom(count)).decode("ascii").rstrip("=") for count in (16, 32))
    cost = f"m={ARGON2.memory_kib},t={ARGON2.passes},p={ARGON2.lanes}"
    return f"$argon2id$v=19${cost}${salt}${digest}"
