"""What pages say of texts."""

from __future__ import annotations

from nightlatch.app.text_view import TextView
from nightlatch.domain.errors import Conflict, Refusal, TextsPaused, TextsUnavailable, TextVetoed, Throttled
from nightlatch.web.pages.shared.words import BAD_NUMBER, ENOUGH, NOT_TEXTABLE, NUMBER_KNOWN, TOO_MANY, WAIT

NOT_TEXTED = (TextsUnavailable, TextsPaused, TextVetoed, Throttled, Conflict)
"""Why a text may not be sent."""


def refused_text(refusal: Refusal) -> str:
    """The word for it in an address. Why a number gets no texts is nobody's business but the operator's."""
    if isinstance(refusal, TextsUnavailable | TextsPaused | TextVetoed):
        return "not_sent"
    return "wait" if isinstance(refusal, Throttled) else "enough"


def number_words(said: str | None) -> str | None:
    """What stands at the field of a number that was refused."""
    return {
        "invalid_phone": BAD_NUMBER,
        "not_textable": NOT_TEXTABLE,
        "voip_number": NOT_TEXTABLE,
        "number_in_use": NUMBER_KNOWN,
        "wait": WAIT,
        "enough": TOO_MANY,
    }.get(said or "")


def text_notice(said: str | None) -> str | None:
    """What stands beside a text that is on its way."""
    return {"wait": WAIT, "enough": ENOUGH}.get(said or "")


def news_of(text: TextView | None) -> dict[str, bool]:
    """For the script that waits for it; ``over``: there will be no other news."""
    if text is None:
        return {"failed": False, "over": True}
    return {"failed": text.failed, "over": text.sent}
