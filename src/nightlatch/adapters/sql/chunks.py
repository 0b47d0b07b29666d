"""Many rows in one SQLite statement.

Python's driver lets other threads run at every step of a statement, and under load to come back costs more than a row
does. So rows go by the chunk; chunks are powers of two, so that few statements are prepared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

LARGEST = 64


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in order, as many at once as a power of two allows."""
    at = 0
    while at < len(items):
        size = min(LARGEST, 1 << (len(items) - at).bit_length() - 1)
        yield items[at : at + size]
        at += size
