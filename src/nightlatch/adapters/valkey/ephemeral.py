"""The port ``Ephemeral`` in Valkey, for many nodes. Its own clock counts the time to live."""

from __future__ import annotations

from typing import Any

from nightlatch.adapters.valkey.client import translated

_PREFIX = "nightlatch:ephemeral:"


class ValkeyEphemeral:
    """See ``ports.ephemeral.Ephemeral``. Values and numbers are keys apart, as elsewhere."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def put(self, key: str, value: bytes, *, ttl: int) -> None:
        """Set, whatever was there."""
        with translated():
            await self._client.set(_value(key), value, px=_milliseconds(ttl))

    async def add_if_absent(self, key: str, value: bytes, *, ttl: int) -> bool:
        """Set if nothing is there; of many at once, one gets True."""
        with translated():
            return bool(await self._client.set(_value(key), value, px=_milliseconds(ttl), nx=True))

    async def take(self, key: str) -> bytes | None:
        """Return and remove."""
        with translated():
            value: bytes | None = await self._client.getdel(_value(key))
            return value

    async def increment(self, key: str, *, by: int = 1, ttl: int) -> int:
        """Add and return the sum."""
        with translated():
            # One MULTI: a number without its end would count for ever.
            async with self._client.pipeline(transaction=True) as both:
                both.incrby(_number(key), by)
                both.pexpire(_number(key), _milliseconds(ttl), nx=True)
                total, _ = await both.execute()
            return int(total)


def _value(key: str) -> str:
    return f"{_PREFIX}value:{key}"


def _number(key: str) -> str:
    return f"{_PREFIX}number:{key}"


def _milliseconds(ttl: int) -> int:
    return max(1, -(-ttl // 1000))
