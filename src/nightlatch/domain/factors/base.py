"""What all factors share: their kinds, the evidence that an accepted answer gives, and why one is refused."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import ClassVar, Literal

import msgspec

RejectionReason = Literal["wrong_code", "replayed", "expired"]

_LONGEST_TYPED = 64


class FactorKind(StrEnum):
    """The kinds of authenticators that a user can hold."""

    TOTP = "totp"
    HOTP = "hotp"
    SMS = "sms"
    PUSH = "push"
    WEBAUTHN = "webauthn"
    BACKUP_CODES = "backup_codes"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one accepted answer proves.

    ``counter`` is what must be stored so that the answer cannot be given again: the accepted step, the next counter,
    or the new mask of used codes. ``amr`` holds registered values only (RFC 8176 §2). The flags default to the
    weakest, so that a factor that forgets one is trusted less, never more.
    """

    kind: FactorKind
    factor_id: str = ""
    counter: int = 0
    amr: tuple[str, ...] = ()
    possession: bool = False
    knowledge: bool = False
    user_verified: bool = False
    phishing_resistant: bool = False
    hardware: bool = False


class CodeRejected(Exception):
    """An answer was judged and refused. ``reason`` is the word that the API prints."""

    reason: ClassVar[RejectionReason]

    def __init__(self) -> None:
        super().__init__(self.reason)


class WrongCode(CodeRejected):
    """The answer is not one that this factor could give now."""

    reason = "wrong_code"


class Replayed(CodeRejected):
    """The answer was right once, and was used or overtaken (RFC 6238 §5.2)."""

    reason = "replayed"


class Expired(CodeRejected):
    """The answer came after its time."""

    reason = "expired"


def typed_digits(text: str) -> str | None:
    """The ASCII digits that somebody typed, or None when the text is anything but digits.

    White space and hyphens are dropped, and the decimal digits of other scripts are read, since keyboards offer them.
    """
    if text.isascii() and text.isdigit():
        return text if len(text) <= _LONGEST_TYPED else None
    if len(text) > _LONGEST_TYPED:
        return None
    digits = []
    for character in text:
        if character.isspace() or unicodedata.category(character) == "Pd":
            continue
        value = unicodedata.decimal(character, None)
        if value is None:
            return None
        digits.append(str(value))
    return "".join(digits) or None
