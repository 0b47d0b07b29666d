"""``otpauth://`` addresses, by which an app takes over a one-time-password secret.

There is no RFC; the format is Google Authenticator's "Key Uri Format", which all apps read. What it leaves open is
decided here: the issuer is written twice and must agree, neither name holds a colon (apps split labels at it), and
parameters that have their default are left out, since a smaller picture scans better.
"""

from __future__ import annotations

import unicodedata
from typing import Literal, cast
from urllib.parse import quote, unquote, unquote_plus

import msgspec

from nightlatch.domain.factors.hotp import LAST_COUNTER
from nightlatch.domain.factors.parameters import PERIOD, Algorithm, Digits, TotpParameters
from nightlatch.domain.factors.seed import InvalidSecret, checked, decode_secret, encode_secret

SCHEME = "otpauth://"
LONGEST_URI = 2000
"""More would need a picture that phones cannot scan from a screen."""

# Cc, Cs: would forge or break a line. Zl, Zp: line breaks by another name.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Bidirectional overrides and isolates: would show a name other than the one that is written.
_FORBIDDEN_CHARACTERS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class InvalidUri(ValueError):
    """Why an address was refused.

    ``code`` is one of ``not_otpauth``, ``bad_encoding``, ``bad_label``, ``issuer_mismatch``, ``bad_parameter``,
    ``duplicate_parameter``, ``missing_parameter``, ``bad_secret``, ``too_long``. ``detail`` never holds the secret.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class OtpauthUri(msgspec.Struct, frozen=True, kw_only=True):
    """What an address says. ``issuer`` may be empty; ``period`` counts for TOTP only, ``counter`` for HOTP only.

    Raises ``InvalidUri`` for values that are refused.
    """

    kind: Literal["totp", "hotp"]
    issuer: str
    account: str
    secret: bytes
    algorithm: Algorithm = "SHA1"
    digits: Digits = 6
    period: int = PERIOD
    counter: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("totp", "hotp"):
            raise InvalidUri("not_otpauth", "The kind must be totp or hotp.")
        _check_name("issuer", self.issuer)
        _check_name("account", self.account)
        if not self.account:
            raise InvalidUri("bad_label", "The account must not be empty.")
        try:
            TotpParameters(self.algorithm, self.digits, self.period)
        except ValueError as error:
            raise InvalidUri("bad_parameter", f"The {error}.") from None
        if not 0 <= self.counter <= LAST_COUNTER:
            raise InvalidUri("bad_parameter", "The counter is out of range.")
        try:
            checked(self.secret)
        except InvalidSecret as error:
            raise InvalidUri("bad_secret", error.detail) from None

    def __repr__(self) -> str:
        """Without the secret, which would end in a log."""
        return f"OtpauthUri(kind={self.kind!r}, issuer={self.issuer!r}, account={self.account!r}, secret=…)"

    def parameters(self) -> TotpParameters:
        """How its codes are made."""
        return TotpParameters(self.algorithm, self.digits, self.period)


def build(uri: OtpauthUri) -> str:
    """Write an address. Raises ``InvalidUri`` when it would be too long to scan."""
    label = _quoted(uri.account)
    query = [("secret", encode_secret(uri.secret))]
    if uri.issuer:
        label = f"{_quoted(uri.issuer)}:{label}"
        query.append(("issuer", _quoted(uri.issuer)))
    if uri.algorithm != "SHA1":
        query.append(("algorithm", uri.algorithm))
    if uri.digits != 6:
        query.append(("digits", str(uri.digits)))
    if uri.kind == "hotp":
        query.append(("counter", str(uri.counter)))
    elif uri.period != PERIOD:
        query.append(("period", str(uri.period)))
    text = f"{SCHEME}{uri.kind}/{label}?" + "&".join(f"{name}={value}" for name, value in query)
    if len(text) > LONGEST_URI:
        raise InvalidUri("too_long", "The issuer and account are too long for a picture.")
    return text


def parse(text: str) -> OtpauthUri:
    """Read an address, ours or another's.

    Tolerated: parameters in any order, unknown ones, a missing issuer, spaces after the label's colon, names in any
    case. Raises ``InvalidUri`` for all that two apps could read differently.
    """
    kind, path, given = _split(text)
    label_issuer, account = _parse_label(path)
    if "secret" not in given:
        raise InvalidUri("missing_parameter", "The address has no secret.")
    if kind == "hotp" and "counter" not in given:
        raise InvalidUri("missing_parameter", "An address for hotp needs its counter.")
    # What these hold is checked by the parts that they go into.
    algorithm = cast("Algorithm", given.get("algorithm", "SHA1").upper())
    digits = cast("Digits", _number(given, "digits", 6))
    try:
        secret = decode_secret(_decoded(given["secret"]))
    except InvalidSecret as error:
        raise InvalidUri("bad_secret", error.detail) from None
    return OtpauthUri(
        kind=kind,
        issuer=_agreed_issuer(label_issuer, given.get("issuer")),
        account=account,
        secret=secret,
        algorithm=algorithm,
        digits=digits,
        period=_number(given, "period", PERIOD) if kind == "totp" else PERIOD,
        counter=_number(given, "counter", 0) if kind == "hotp" else 0,
    )


def _split(text: str) -> tuple[Literal["totp", "hotp"], str, dict[str, str]]:
    """Take an address apart: kind, label, and parameters as they are written, by their lower-case names."""
    if len(text) > LONGEST_URI:
        raise InvalidUri("too_long", "The address is too long.")
    if not text[: len(SCHEME)].lower() == SCHEME:
        raise InvalidUri("not_otpauth", "The address must begin with otpauth://.")
    rest, _, fragment = text[len(SCHEME) :].partition("#")
    location, _, query = rest.partition("?")
    kind, _, path = location.partition("/")
    if fragment or kind.lower() not in ("totp", "hotp"):
        raise InvalidUri("not_otpauth", "The address must be otpauth://totp/… or otpauth://hotp/….")
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        name = _decoded(name).lower()
        if name in given:
            raise InvalidUri("duplicate_parameter", "A parameter is given twice.")
        given[name] = value
    return "totp" if kind.lower() == "totp" else "hotp", path, given


def _parse_label(path: str) -> tuple[str, str]:
    """Issuer, or nothing, and account. The colon may be written as it is or as ``%3A``."""
    issuer, colon, account = _decoded(path).partition(":")
    return (issuer, account.lstrip(" ")) if colon else ("", issuer)


def _agreed_issuer(from_label: str, raw: str | None) -> str:
    if not raw:
        return from_label
    # Some write spaces as plus signs, some a plus sign as itself: whichever reading agrees with the label is meant.
    readings = (_decoded(raw), _decoded(raw, plus=True))
    if from_label and from_label not in readings:
        raise InvalidUri("issuer_mismatch", "The issuer differs from the prefix of the label.")
    return from_label or readings[1]


def _number(given: dict[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise InvalidUri("bad_parameter", f"The {name} must be a number.")
    return int(text)


def _decoded(text: str, *, plus: bool = False) -> str:
    try:
        return (unquote_plus if plus else unquote)(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidUri("bad_encoding", "The address is no percent-encoded UTF-8.") from None


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _check_name(what: str, name: str) -> None:
    """Refuse what apps would split, trim, or show as something else."""
    if ":" in name:
        raise InvalidUri("bad_label", f"The {what} must not hold a colon.")
    if name != name.strip():
        raise InvalidUri("bad_label", f"The {what} must not begin or end with a space.")
    for character in name:
        if character in _FORBIDDEN_CHARACTERS or unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            raise InvalidUri("bad_label", f"The {what} holds a control character, U+{ord(character):04X}.")
