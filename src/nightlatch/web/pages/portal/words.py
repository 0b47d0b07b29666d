"""What the portal says."""

from __future__ import annotations

from dataclasses import dataclass

from nightlatch.app.portal.session import Room
from nightlatch.app.portal.view import SignIn, WayKept
from nightlatch.domain.agents import browser_words
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import state_of
from nightlatch.web.pages.shared.words import WayShown, shown, way_words

FEW_CODES = 3

SAID = {
    "proved": "It's you. You can make changes now.",
    "on": "It's set up. Next time you can sign in with it.",
    "saved": "Your new backup codes work now. The old ones don't.",
    "renamed": "The name is saved.",
    "removed": "It's removed, and lets nobody in any more.",
    "forgotten": "Forgotten. That browser has to prove itself again.",
}


@dataclass(frozen=True, slots=True)
class WayItem:
    """A way in the list."""

    way: WayShown
    added_at: int
    used_at: int | None
    left: int | None
    left_of: int

    @property
    def few(self) -> bool:
        """Whether it is time for new codes."""
        return self.left is not None and self.left <= FEW_CODES


@dataclass(frozen=True, slots=True)
class SignInItem:
    """A sign-in in the list."""

    at: int
    words: str
    browser: str
    ip: str
    mark: str


def way_item(kept: WayKept) -> WayItem:
    """A way in words."""
    return WayItem(shown(kept.way), kept.added_at, kept.used_at, kept.way.codes_left, kept.codes)


def sign_in_item(one: SignIn) -> SignInItem:
    """A sign-in in words."""
    login = one.action == "login"
    where = one.application if login else f"{one.application}, {one.action.replace('_', ' ')}"
    if one.pending:
        words, mark = f"{where}: not finished", "open"
    elif not one.approved:
        words, mark = f"{where}: nobody got in", "no"
    else:
        words, mark = f"{where}: {'signed in' if login else 'approved'}{_by(one.kind)}", "yes"
    return SignInItem(one.at, words, browser_words(one.user_agent), one.ip, mark)


def _by(kind: FactorKind | None) -> str:
    if kind is None:
        return ""
    if kind is FactorKind.PUSH:
        return " on a phone"
    return f" with a {way_words(kind).lower()}"


def phone_notes(room: Room) -> dict[str, str]:
    """What must be said of phones, by id: ``blocked``, or ``quiet`` where nothing rings them."""
    phones = ((f.id, state_of(f.public)) for f in room.snapshot.factors if f.kind is FactorKind.PUSH)
    return {
        id_: "blocked" if state.locked else "quiet" for id_, state in phones if state.locked or not state.transports
    }
