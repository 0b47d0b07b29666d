"""What never reaches a log, whoever tries to write it."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

GONE = "[redacted]"

_NAMES = re.compile(
    r"(?:^|_)(?:token|secret|password|passwd|authorization|cookie|api_?key|code|codes|otp|seed|assertion|state|dsn)$",
    re.IGNORECASE,
)
# A status code and an error's code are words of ours, and what logs are read for.
_HARMLESS = frozenset({"status_code", "error_code", "reason_code", "exit_code"})

_PATTERNS = (
    (re.compile(r"nlk_[0-9A-Za-z]+"), "nlk_" + GONE),
    (re.compile(r"nightlatch-key-1:\S+"), GONE),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"), GONE),
    (re.compile(r"otpauth(?:-migration)?://\S+"), GONE),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {GONE}"),
    (re.compile(r"(?i)\b([a-z]+://)[^/\s:@]*:[^/\s@]*@"), rf"\1{GONE}@"),
    # Bearer secrets of ours in an address: 43 characters of base64url in a path or a query.
    (re.compile(r"(?<=[/=])[\w-]{43}(?![\w-])"), GONE),
    (re.compile(r"(?i)([?&](?:code|state|token|secret)=)[^&\s\"']+"), rf"\1{GONE}"),
    # SQLAlchemy tells the values of a statement that failed.
    (re.compile(r"\[parameters: .*?(?:\]\s*$|\](?=\n)|\Z)", re.DOTALL | re.MULTILINE), "[parameters hidden]"),
)

# Half a surrogate pair has no UTF-8.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# Words, ids, times and routes of ours: too short, or of too few characters, for any pattern above to match unless one
# of its beginnings is there. So most of what is logged needs no search (tests/property/test_redaction.py).
_PLAIN = re.compile(r"[\w.:/{}-]{0,42}", re.ASCII)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: secrets out by name and by form, control characters made visible."""
    return {_key(str(name)): _clean(str(name), value) for name, value in event.items()}


def _key(name: str) -> str:
    return name if name.isidentifier() else _one_line(name)


def _clean(name: str, value: Any) -> Any:
    if value is None or _names_secret(name):
        return None if value is None else GONE
    if isinstance(value, str) and is_plain(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(name, inner) for inner in value]
    if isinstance(value, bytes):
        return GONE
    if isinstance(value, (bool, int, float)):
        return value
    return _searched(name, str(value))


def _searched(name: str, text: str) -> str:
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    # A traceback has lines; nothing else has, so that no value can pass for a line of its own.
    return _visible(text) if name == "exception" else _one_line(text)


@lru_cache(maxsize=512)
def _names_secret(name: str) -> bool:
    return _NAMES.search(name) is not None and name not in _HARMLESS


def is_plain(text: str) -> bool:
    """Whether a look at a text's characters is enough to know that nothing need be taken out."""
    begins = "nlk_" in text or "eyJ" in text or "://" in text or "key-1:" in text
    return not begins and _PLAIN.fullmatch(text) is not None


def _one_line(text: str) -> str:
    return _visible(text).replace("\n", "\\n")


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
