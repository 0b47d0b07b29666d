"""What pages say of ways to sign in. Words for people: no factor, no token, no challenge."""

from __future__ import annotations

from dataclasses import dataclass

from nightlatch.app.ways import Way
from nightlatch.domain.factors.base import FactorKind

WRONG = (
    "That code didn't work. Use the newest one; it changes every 30 seconds. "
    "Still failing? Set your phone's clock to automatic."
)
WRONG_FOB = "That code didn't work. Press the button again and use the newest one."
WRONG_BACKUP = "That code didn't work. Check it against your list; each works once."
USED = "That code was already used. Wait for the next one."
USED_BACKUP = "That code was already used. Take another one from your list."
BUSY = "Too many tries at once. Wait a moment and try again."
NOT_SAVED = "Save the codes first, then tick the box."

NOT_TEXTED = "That code didn't work. Only the newest text counts."
TOO_LATE = "That code is too old. Have a new one sent."
BAD_NUMBER = "Write the number with its country, such as +49 151 12345678."
NOT_TEXTABLE = "Texts can't be sent to a number of this kind. Use a mobile number."
NUMBER_KNOWN = "This number is set up already."
WAIT = "A text is on its way. Wait a moment before you ask for another."
TOO_MANY = "That can't be set up now. Wait ten minutes and try again."
ENOUGH = "That was the last text for now. Use another way, or start again."

_WAYS = {
    FactorKind.TOTP: "Code from your app",
    FactorKind.HOTP: "Code from your key fob",
    FactorKind.PUSH: "Approve on your phone",
    FactorKind.SMS: "Code by text",
    FactorKind.BACKUP_CODES: "Backup code",
}


_WRONG = {FactorKind.BACKUP_CODES: WRONG_BACKUP, FactorKind.HOTP: WRONG_FOB, FactorKind.SMS: NOT_TEXTED}


@dataclass(frozen=True, slots=True)
class WayShown:
    """A way as a person reads it."""

    id: str
    kind: str
    words: str
    label: str | None
    detail: str | None
    digits: int
    paused_until: int | None
    stopped: bool
    hint: str | None

    @property
    def paused(self) -> bool:
        """Whether no code is taken now."""
        return self.stopped or self.paused_until is not None


def shown(way: Way) -> WayShown:
    """A way in words."""
    detail = None if way.kind is FactorKind.PUSH else way.label
    if way.codes_left is not None:
        detail = "1 code left" if way.codes_left == 1 else f"{way.codes_left} codes left"
    if way.stopped or way.paused_until is not None:
        detail = "Paused after too many wrong codes"
    return WayShown(
        id=way.id,
        kind=way.kind.value,
        words=_named(way),
        label=way.label,
        detail=detail,
        digits=way.digits,
        paused_until=way.paused_until,
        stopped=way.stopped,
        hint=way.hint,
    )


def _named(way: Way) -> str:
    if way.kind is FactorKind.SMS:
        return f"Text to the number {way.hint}"
    if way.kind is FactorKind.PUSH and (way.label or way.hint):
        return f"Approve on {way.label or way.hint}"
    return way_words(way.kind)


def way_words(kind: FactorKind) -> str:
    """The name of a way to sign in."""
    return _WAYS.get(kind, "Another way")


def refusal_words(reason: str | None, kind: FactorKind) -> str | None:
    """What stands at the field after a code was refused."""
    backup = kind is FactorKind.BACKUP_CODES
    if reason == "replayed":
        return USED_BACKUP if backup else USED
    if reason == "busy":
        return BUSY
    if reason == "wrong_code":
        return _WRONG.get(kind, WRONG)
    if reason == "expired" and kind is FactorKind.SMS:
        return TOO_LATE
    return None
