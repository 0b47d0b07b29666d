"""Pages of lists."""

from __future__ import annotations

from nightlatch.domain.errors import Invalid

LARGEST_PAGE = 200


def checked_limit(limit: int) -> int:
    """The size of a page, 1 to 200. Raises ``Invalid``."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise Invalid.field("/limit", "out_of_range", f"A page has 1 to {LARGEST_PAGE} entries.")
    return limit
