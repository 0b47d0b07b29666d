"""What pages say of texts."""

from __future__ import annotations

from nightlatch.app.text_view import TextView
from nightlatch.domain.errors import Conflict, Refusal, TextsPaused, TextsUnavailable, TextVetoed, Throttled
from nightlatch.web.pages.shared.words import ENOUGH, WAIT

NOT_TEXTED = (TextsUnavailable, TextsPaused, TextVetoed, Throttled, Conflict)
"""Why a text may not be sent."""


def refused_text(refusal: Refusal) -> str:
    """The word for it in an address. Why a number gets no texts is nobody's business but the operator's."""
    if isinstance(refusal, TextsUnavailable | TextsPaused | TextVetoed):
        return "not_sent"
    return "wait" if isinstance(refusal, Throttled) else "enough"


def text_notice(said: str | None) -> str | None:
    """What stands beside a text that is on its way."""
    return {"wait": WAIT, "enough": ENOUGH}.get(said or "")


def news_of(text: TextView | None) -> dict[str, bool]:
    """For the script that waits for it; ``over``: there will be no other news."""
    if text is None:
        return {"failed": False, "over": True}
    return {"failed": text.failed, "over": text.sent}
