"""Which of the offered types the caller likes best (RFC 9110 §12.5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nightlatch.web.common.problems import NotAcceptable


def chosen(accept: str | None, offers: Sequence[str]) -> str:
    """The best of the offers, the first where the caller has no preference. Raises ``NotAcceptable``."""
    wanted = list(_ranges(accept or "*/*"))
    quality = {offer: _quality(offer, wanted) for offer in offers}
    best = max(offers, key=lambda offer: quality[offer])
    if quality[best] <= 0:
        raise NotAcceptable(f"Offered here: {', '.join(offers)}.")
    return best


def _quality(offer: str, wanted: Sequence[tuple[str, float]]) -> float:
    """The most specific range that fits decides."""
    family = offer.partition("/")[0] + "/*"
    for pattern in (offer, family, "*/*"):
        found = [quality for media_range, quality in wanted if media_range == pattern]
        if found:
            return max(found)
    return 0.0


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        given = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            yield media_range, float(given)
        except ValueError:
            yield media_range, 0.0
