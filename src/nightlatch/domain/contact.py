"""Where somebody is reached, and from where a service may call: addresses, checked in form and kept in one spelling.

A good form proves nothing. Only we verify an address, by sending something there (R3).
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

import phonenumbers
from babel import Locale, UnknownLocaleError

from nightlatch.domain.fields import BadField

LONGEST_EMAIL = 254
LONGEST_LOCAL_PART = 64
LONGEST_DOMAIN = 253
LONGEST_LOCALE = 35

# RFC 5322 §3.4.1 dot-atom, with letters beyond ASCII (RFC 6531); quoted local parts are refused, nobody has them.
_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_HOST_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")


def email(text: str) -> str:
    """A mail address, its domain in lower case. Raises ``BadField``."""
    text = unicodedata.normalize("NFC", text.strip())
    local, at, domain = text.rpartition("@")
    labels = domain.lower().split(".")
    if (
        not at
        or len(text.encode(errors="replace")) > LONGEST_EMAIL
        or len(local) > LONGEST_LOCAL_PART
        or not _LOCAL_PART.fullmatch(local)
        or len(domain) > LONGEST_DOMAIN
        or len(labels) < 2
        or not all(_HOST_LABEL.fullmatch(label) and "_" not in label for label in labels)
    ):
        raise BadField("invalid_email", "This is no mail address such as name@example.org.")
    return f"{local}@{domain.lower()}"


def phone(text: str) -> str:
    """A phone number in E.164, such as ``+4915112345678``. Raises ``BadField``.

    The length must fit its country. Whether the number is assigned is not asked: number plans change faster than lists.
    """
    try:
        number = phonenumbers.parse(text[:40], None)
    except phonenumbers.NumberParseException:
        raise BadField("invalid_phone", "Write the number with its country: +49 151 12345678.") from None
    if number.extension or not phonenumbers.is_possible_number(number):
        raise BadField("invalid_phone", "No number of this country has this length.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def locale(text: str) -> str:
    """A language tag such as ``de`` or ``pt-BR`` (BCP 47). Raises ``BadField``."""
    try:
        if len(text) > LONGEST_LOCALE:
            raise ValueError(text)
        return str(Locale.parse(text.replace("_", "-"), sep="-")).replace("_", "-")
    except (ValueError, UnknownLocaleError):
        raise BadField("invalid_locale", "This is no known language such as en, de or pt-BR.") from None


def network(text: str) -> str:
    """A network in CIDR form, such as ``192.0.2.0/24``; a single address is one of its own. Raises ``BadField``."""
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError:
        pass
    try:
        nearest = str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise BadField("invalid_network", "This is no network such as 192.0.2.0/24 or 2001:db8::/32.") from None
    raise BadField("invalid_network", "The address has bits beyond its prefix.", nearest)
