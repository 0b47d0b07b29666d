"""What must hold for a user's fields, at creation and after every change."""

from __future__ import annotations

import datetime as dt

from nightlatch.domain.fields import BadField, Problems
from nightlatch.domain.records import User, UserKind
from nightlatch.domain.time import instant

MOST_GROUPS = 64
MOST_ADDRESSES = 10
MOST_NETWORKS = 64


def checked_expiry(when: dt.datetime) -> int:
    """A time with a zone, as an instant. Raises ``BadField``."""
    try:
        return instant(when)
    except ValueError:
        raise BadField("invalid_time", "The time has no zone; end it with Z.") from None


def check_kind_rules(problems: Problems, user: User, now: int, *, at: str = "", expiry_changed: bool = True) -> None:
    """A service account is owned and ends; a person is neither owned, nor ends, nor is bound to networks.

    Without an owner and an end nobody would notice an account that policy excludes from the second lock.
    """
    if user.kind is UserKind.SERVICE:
        if user.owner is None:
            problems.add(f"{at}/owner", "required", "A service account needs somebody who answers for it.")
        if user.expires_at is None:
            problems.add(f"{at}/expires_at", "required", "A service account needs an end; renew it in time.")
        elif expiry_changed and user.expires_at <= now:
            problems.add(f"{at}/expires_at", "in_the_past", "This is already over.")
        return
    for name, value in (("owner", user.owner), ("expires_at", user.expires_at), ("networks", user.networks)):
        if value:
            problems.add(f"{at}/{name}", "only_for_services", "Only service accounts have this.")
