"""Find users."""

from __future__ import annotations

import msgspec

from nightlatch.app.context import Caller, Ports
from nightlatch.app.messages import Page, UserAnswer
from nightlatch.app.paging import checked_limit
from nightlatch.app.users.answers import user_answer
from nightlatch.app.users.reference import existing, known_name, user_key
from nightlatch.domain.errors import Invalid
from nightlatch.domain.ids import USER, is_id
from nightlatch.domain.records import UserStatus
from nightlatch.ports.directory import UserFilter


async def find_user(ports: Ports, _caller: Caller, ref: str) -> UserAnswer:
    """One user by id or user name. Raises ``NotFound``, also for a deleted one."""
    return user_answer(existing(await ports.store.load(user_key(ref))))


async def list_users(
    ports: Ports, _caller: Caller, which: UserFilter, cursor: str | None = None, limit: int = 50
) -> Page[UserAnswer]:
    """A page of users, oldest first; the cursor is the last id.

    Deleted ones are left out, so that a page may hold fewer than it could. Raises ``Invalid``.
    """
    if cursor is not None and not is_id(cursor, USER):
        raise Invalid.field("/cursor", "invalid_cursor", "Pass next_cursor of the page before, as it is.")
    limit = checked_limit(limit)
    if which.username is not None:
        which = msgspec.structs.replace(which, username=known_name(which.username))
    users = await ports.directory.users(which, after=cursor, limit=limit + 1)
    page = users[:limit]
    return Page(
        data=[user_answer(user) for user in page if user.status is not UserStatus.DELETED],
        next_cursor=page[-1].id if len(users) > limit else None,
    )
