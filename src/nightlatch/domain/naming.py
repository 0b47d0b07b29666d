"""Names of users, groups and things: what may be one, and which of them are the same."""

from __future__ import annotations

import re

from precis_i18n import get_profile

from nightlatch.domain.fields import BadField, shown_text
from nightlatch.domain.ids import has_id_prefix

LONGEST_USERNAME_BYTES = 256
LONGEST_DISPLAY_NAME = 128
LONGEST_GROUP = 64
LONGEST_LABEL = 64
LONGEST_OWNER = 256

_USERNAME = get_profile("UsernameCaseMapped")
# Of ASCII the profile takes the visible characters and maps their case; most names need no more than that.
_VISIBLE_ASCII = re.compile(r"[!-~]+")
# A path segment of these names another folder (RFC 3986 §5.2.4), so /v1/users/.. would not reach the user.
_DOT_SEGMENTS = frozenset({".", ".."})


def normal_username(text: str) -> str:
    """The one spelling of a user name: RFC 8265 UsernameCaseMapped, at most 256 bytes in UTF-8.

    Names that look alike to a person in case or width are one name. Raises ``BadField``.
    """
    if len(text) > LONGEST_USERNAME_BYTES:
        raise BadField("too_long", f"A user name has at most {LONGEST_USERNAME_BYTES} bytes.")
    name = text.lower() if _VISIBLE_ASCII.fullmatch(text) else _enforced(text)
    if len(name.encode()) > LONGEST_USERNAME_BYTES:
        raise BadField("too_long", f"A user name has at most {LONGEST_USERNAME_BYTES} bytes.")
    if "/" in name or name in _DOT_SEGMENTS:
        raise BadField("invalid_username", "A user name stands in addresses: it holds no slash and is no dot or two.")
    if has_id_prefix(name):
        raise BadField("reserved_prefix", "A user name must not begin like an id of ours, such as usr_.")
    return name


def _enforced(text: str) -> str:
    try:
        name: str = _USERNAME.enforce(text)
    except UnicodeError as error:
        raise BadField("invalid_username", _why_not(text, error)) from None
    return name


def display_name(text: str) -> str:
    """How a person is called. Raises ``BadField``."""
    return shown_text(text, LONGEST_DISPLAY_NAME)


def group_name(text: str) -> str:
    """A group, as policy names it. Raises ``BadField``."""
    return shown_text(text, LONGEST_GROUP)


def label(text: str) -> str:
    """What somebody calls a factor, or an operator an application. Raises ``BadField``."""
    return shown_text(text, LONGEST_LABEL)


def owner(text: str) -> str:
    """Who answers for a service account: a person, team or address that operators know. Raises ``BadField``.

    It is not looked up: teams and mailboxes own service accounts as often as users of ours do.
    """
    return shown_text(text, LONGEST_OWNER)


def _why_not(text: str, error: UnicodeError) -> str:
    """A sentence for the profile's reason, such as ``DISALLOWED/spaces``."""
    if not text:
        return "A user name must not be empty."
    reason = str(getattr(error, "reason", "")).rpartition("/")[2].replace("_", " ")
    start = getattr(error, "start", -1)
    where = f" U+{ord(text[start]):04X}" if 0 <= start < len(text) else ""
    return f"A user name may not hold this character:{where} ({reason or 'not allowed'}, RFC 8265)."
