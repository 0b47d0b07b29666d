"""Making keys, and finding what is still sealed under old ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from nightlatch.domain.records import DataKey, SigningKey


class FreshSet(NamedTuple):
    """A data key, and a signing key that is sealed under it."""

    data_key: DataKey
    signing_key: SigningKey


class KeyMaker(Protocol):
    """Makes keys as they are kept: wrapped and sealed. What nobody commits is forgotten."""

    def make(self, now: int) -> FreshSet: ...

    def make_mac_key(self, now: int) -> DataKey:
        """The key of all digests."""
        ...


class KeyWrapping(Protocol):
    """Moves data keys from one key-encryption key to another."""

    def rewrap(self, key: DataKey) -> DataKey:
        """The same data key under the other key-encryption key."""
        ...


class Resealing(Protocol):
    """Walks what is sealed under any other data key than ``key_id``, by id, past ``after``."""

    async def users(self, key_id: str, *, after: str, limit: int) -> Sequence[str]:
        """Users with an audit key or a factor that is sealed under another key."""
        ...

    async def answers(self, key_id: str, *, after: str, limit: int) -> Sequence[str]:
        """Idempotent answers that are sealed under another key."""
        ...

    async def messages(self, key_id: str, *, after: str, limit: int) -> Sequence[str]:
        """Messages whose payload is sealed under another key."""
        ...

    async def remaining(self, key_id: str) -> int:
        """How many users, answers and messages the walks would find now."""
        ...
