"""Codes by text message: which numbers get any, how long a code is good, and when the next may be asked for.

A text is the weakest way that is offered: whoever takes over a number, or reads along on the way, has the code. NIST
SP 800-63B-4 §3.1.3.3 restricts it for that; it is never the only way that a policy allows (S7).
"""

from __future__ import annotations

from typing import Any

import msgspec
import phonenumbers
from phonenumbers import PhoneNumberType

from nightlatch.domain.contact import phone
from nightlatch.domain.crypto.codes import code_mac, code_matches
from nightlatch.domain.factors.base import Expired, WrongCode, typed_digits
from nightlatch.domain.fields import BadField
from nightlatch.domain.time import DAY, MINUTE, SECOND

DIGITS = 6

CODE_LIFE = 5 * MINUTE
"""How long a code is good (S2); NIST SP 800-63B-4 §3.1.3.2 allows ten minutes."""

MOST_SENDS = 5
"""Texts that one sign-in, or one set-up, may ask for."""

FIRST_WAIT = 30 * SECOND
"""Until a second text may be asked for; the wait doubles with each."""

TRUSTED_AFTER = 7 * DAY
"""A number verified for longer has its own half of every shared cap (S11)."""

RISK_NOTICE = (
    "Texts can be read by others, for instance by whoever takes over the number. An authenticator app is safer."
)
"""What somebody must be told before they rely on texts (S7; NIST SP 800-63B-4 §3.1.3.3)."""

_PREFIX_DIGITS = 3
_TEXTABLE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
# Its numbers lie in no country: satellite telephones and networks at sea and in the air, at ten times the price.
_NOWHERE = "001"


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A number that gets texts. ``country`` as ISO 3166 writes it; ``prefix`` is what statistics group by."""

    e164: str
    country: str
    prefix: str

    @property
    def hint(self) -> str:
        """All that is ever shown of it."""
        return f"ending {self.e164[-2:]}"

    def __repr__(self) -> str:
        """Without the number itself (K3)."""
        return f"Number({self.hint!r})"


def number(text: str, *, voip: bool = False) -> Number:
    """A number in any spelling with its country, if texts to it cost what texts cost and reach one person.

    ``voip``: whether numbers that lie on the Internet will do. Raises ``BadField``.
    """
    e164 = phone(text)
    parsed = phonenumbers.parse(e164, None)
    country = phonenumbers.region_code_for_number(parsed)
    kind = phonenumbers.number_type(parsed)
    if kind == PhoneNumberType.VOIP and country and country != _NOWHERE and not voip:
        raise BadField("voip_number", "Numbers that lie on the Internet get no codes here. Use a mobile number.")
    allowed = (*_TEXTABLE, PhoneNumberType.VOIP)
    if kind not in allowed or not country or country == _NOWHERE:
        # Premium, shared cost, pager, voicemail, satellite, landline, or no range that anybody was given.
        raise BadField("not_textable", "Texts do not go to numbers of this kind. Use a mobile number.")
    national = phonenumbers.national_significant_number(parsed)
    return Number(e164=e164, country=country, prefix=f"+{parsed.country_code}{national[:_PREFIX_DIGITS]}")


def looks_like(text: str) -> bool:
    """Whether a text has the form of these codes."""
    digits = typed_digits(text)
    return digits is not None and len(digits) == DIGITS


class SentCode(msgspec.Struct, frozen=True, kw_only=True):
    """The newest code that was texted, kept where it will be asked for.

    ``mac`` is all that is kept of the code. ``sends`` counts those before it as well; ``message`` is the text's id,
    ``about`` what it was sent for. The rest is told again when the code is proved.
    """

    mac: bytes
    expires_at: int
    sends: int
    resend_after: int
    message: str
    about: str
    sent_at: int
    trusted: bool
    application_id: str | None = None

    def to_data(self) -> dict[str, Any]:
        """As JSON can hold it."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    @classmethod
    def of_data(cls, data: Any) -> SentCode | None:
        """Read it back; None where there is none."""
        return None if data is None else msgspec.convert(data, cls)


def resend_wait(sends: int) -> int:
    """How long (µs) after so many texts the next may be asked for: 30 s, 60 s, 120 s, …"""
    return FIRST_WAIT << min(max(sends - 1, 0), MOST_SENDS)


def mac_of(key: bytes, code: str, context: tuple[str, ...]) -> bytes:
    """What is kept of a code that is good for this context alone (S5)."""
    return code_mac(key, code, purpose="sms", context=context)


def match(key: bytes, code: str, sent: SentCode | None, now: int, context: tuple[str, ...]) -> None:
    """Return if this is the newest code, in time, and for this context.

    Raises ``Expired`` for anything that comes after the code's time, and ``WrongCode``, also where none was sent.
    """
    if sent is None:
        raise WrongCode
    # A code from the future was sent before the clock was set back: its age is unknown (T10).
    if not sent.sent_at <= now < sent.expires_at:
        raise Expired
    digits = typed_digits(code) or ""
    if not code_matches(key, digits, sent.mac, purpose="sms", context=context):
        raise WrongCode
