"""What a text with a code says, in the reader's language and within one message.

One message holds 160 characters of the GSM 7-bit alphabet (3GPP TS 23.038 §6.2.1); a single other letter would halve
that, and the text would come in two parts. So every word here is spelt with that alphabet, and names are too.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal
from urllib.parse import urlsplit

LONGEST = 160

Purpose = Literal["sign_in", "set_up"]

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters that take one place. Those of the extension table take two, and are not used."""

_IN_NAMES = BASIC - frozenset('@£$¥\n\r¤"#%()*/:;<=>?¡§¿ΔΦΓΛΩΠΨΣΘΞ_,')
"""Nothing that ends a line, makes a link, or reads like the line that browsers look for."""

_LONG_NUMBER = re.compile(r"\d{4,}")
_SPELT = {"’": "'", "–": "-", "—": "-", "ẞ": "ß", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L"}
_FALLBACK = "Nightlatch"
_LONGEST_NAME = 30

_WORDS: dict[str, dict[Purpose, str]] = {
    "en": {
        "sign_in": "{app}: {code} is your sign-in code, for 5 minutes. Nobody from {app} will ever ask for it.",
        "set_up": "{app}: {code} sets up this number, for 5 minutes. Nobody from {app} will ever ask for it.",
    },
    "de": {
        "sign_in": "{app}: {code} ist Ihr Anmeldecode, 5 Minuten lang. Niemand von {app} fragt jemals danach.",
        "set_up": "{app}: {code} richtet diese Nummer ein, 5 Minuten lang. Niemand von {app} fragt jemals danach.",
    },
    "fr": {
        "sign_in": "{app}: {code} est votre code de connexion, 5 minutes. Personne de {app} ne vous le demandera.",
        "set_up": "{app}: {code} enregistre ce numéro, 5 minutes. Personne de {app} ne vous le demandera.",
    },
    "it": {
        "sign_in": "{app}: {code} è il tuo codice di accesso, per 5 minuti. Nessuno di {app} te lo chiederà mai.",
        "set_up": "{app}: {code} attiva questo numero, per 5 minuti. Nessuno di {app} te lo chiederà mai.",
    },
    "nl": {
        "sign_in": "{app}: {code} is je inlogcode, 5 minuten geldig. Niemand van {app} vraagt er ooit om.",
        "set_up": "{app}: {code} stelt dit nummer in, 5 minuten geldig. Niemand van {app} vraagt er ooit om.",
    },
}

LOCALES = tuple(_WORDS)
"""The languages that texts are written in; everybody else reads English."""


def code_text(code: str, *, app: str, locale: str | None, public_url: str, purpose: Purpose = "sign_in") -> str:
    """The whole text, at most 160 characters long.

    Its last line binds the code to our address, so that browsers offer it there and nowhere else (WebOTP); it is left
    out where browsers would not take it, or where it leaves too little room for a name.
    """
    words = _WORDS.get((locale or "").partition("-")[0].lower(), _WORDS["en"])[purpose]
    ending = _bound(code, public_url)
    name = spelt(app)
    if (room := _room(words, code, ending)) < min(len(name), len(_FALLBACK)):
        ending, room = "", _room(words, code, "")
    return words.format(app=name[:room].rstrip(), code=code) + ending


def spelt(name: str) -> str:
    """A name in the alphabet of texts: on one line, without links, marks and long numbers that a phone could take
    for the code.
    """
    plain = "".join(_SPELT.get(char, char) for char in unicodedata.normalize("NFC", name))
    letters = (char if char in BASIC else unicodedata.normalize("NFKD", char) for char in plain)
    kept = "".join(char if char in _IN_NAMES else " " for char in "".join(letters) if not unicodedata.combining(char))
    kept = " ".join(_LONG_NUMBER.sub(" ", kept).split())[:_LONGEST_NAME].strip(" .-'&+,!")
    return kept or _FALLBACK


def bound_host(public_url: str) -> str | None:
    """The host that a text may bind its code to: an https address on its default port; else None."""
    parts = urlsplit(public_url)
    if parts.scheme != "https" or parts.port not in (None, 443) or not parts.hostname or ":" in parts.hostname:
        return None
    return parts.hostname if parts.hostname.isascii() else None


def _bound(code: str, public_url: str) -> str:
    host = bound_host(public_url)
    return "" if host is None else f"\n@{host} #{code}"


def _room(words: str, code: str, ending: str) -> int:
    """How long the name may be that stands in the words."""
    bare = len(words.format(app="", code=code)) + len(ending)
    return (LONGEST - bare) // words.count("{app}")
