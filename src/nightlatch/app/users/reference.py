"""How a user is named in a path or a request: by id or by user name."""

from __future__ import annotations

from nightlatch.domain.errors import Conflict, NotFound
from nightlatch.domain.fields import BadField
from nightlatch.domain.ids import has_id_prefix
from nightlatch.domain.naming import LONGEST_USERNAME_BYTES, normal_username
from nightlatch.domain.records import User, UserStatus
from nightlatch.ports.store import Snapshot, UserKey

NOBODY = "/"
"""No user name holds a slash, so this finds nobody, at the cost of finding somebody."""


def user_key(ref: str) -> UserKey:
    """What to load for a reference. One that can be nobody's name finds nobody, and is no error (H6)."""
    if has_id_prefix(ref):
        return UserKey(user=ref if ref.isascii() and ref.isprintable() else NOBODY)
    return UserKey(username=_or_nobody(ref))


def known_name(ref: str) -> str:
    """The reference in the spelling that look-ups use: an id as it is, a user name normalised."""
    key = user_key(ref)
    return key.user or key.username or NOBODY


def possible_name(ref: str) -> str | None:
    """The reference as ``known_name`` has it; None for what nobody can be called."""
    name = known_name(ref)
    return None if name == NOBODY or len(name) > LONGEST_USERNAME_BYTES else name


def existing(snapshot: Snapshot) -> User:
    """The user, unless there is none or it was deleted. Raises ``NotFound``."""
    user = snapshot.user
    if user is None or user.status is UserStatus.DELETED:
        raise NotFound("There is no such user.")
    return user


def active(snapshot: Snapshot) -> User:
    """The user, who must be neither deleted nor disabled. Raises ``NotFound`` or ``Conflict``."""
    user = existing(snapshot)
    if user.status is not UserStatus.ACTIVE:
        raise Conflict("This user is disabled. Enable the user first.", code="user_disabled")
    return user


def _or_nobody(ref: str) -> str:
    try:
        return normal_username(ref)
    except BadField:
        return NOBODY
