"""What the prompt says of a sign-in that is over, and of days."""

from __future__ import annotations

from nightlatch.app.prompt.view import PromptView, Stage
from nightlatch.domain.policy.compiled import MANAGE_FACTORS
from nightlatch.domain.time import DAY

LOGIN = "login"


def purpose_words(view: PromptView) -> str | None:
    """What the person approves by their answer, if it is more than to be signed in; it is not always they who began it."""
    if view.stage is not Stage.CHALLENGE or view.action == LOGIN:
        return None
    if view.action == MANAGE_FACTORS:
        return f"You are about to let {view.application} change how you sign in."
    return f"You are about to confirm this to {view.application}: {view.action.replace('_', ' ')}."


def over_words(view: PromptView) -> tuple[str, str]:
    """Heading and sentence of a sign-in that is over."""
    if view.stage is Stage.EXPIRED or view.reason == "expired":
        return "Time ran out.", "Nothing was changed. You can start again."
    if view.reason == "too_many_wrong_answers":
        return "Too many wrong codes.", "This sign-in has ended, and nobody got in. You can start again."
    if view.reason == "denied_on_phone":
        return "You said no on your phone.", "Nobody was signed in. You can start again."
    if view.reason == "not_me":
        return "This was blocked on your phone.", "Nobody was signed in. Was it you after all? Sign in another way."
    if view.reason == "cancelled":
        return "You cancelled.", "Nobody was signed in."
    return "This sign-in has ended.", "You can start again."


def days(duration: int) -> int:
    """Whole days, rounded down, and at least one: a box must not promise more than it keeps."""
    return max(1, duration // DAY)


def days_left(until: int, now: int) -> int:
    """Days until an instant, rounded up: the last day counts."""
    return max(0, -(-(until - now) // DAY))
