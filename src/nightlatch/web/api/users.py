"""Users."""

from __future__ import annotations

from nightlatch.app.messages import NewUser, Page, UserAnswer, UserPatch
from nightlatch.app.users.change import change_user as change
from nightlatch.app.users.create import create_user as create
from nightlatch.app.users.delete import delete_user as delete
from nightlatch.app.users.find import find_user, list_users
from nightlatch.domain.errors import Conflict
from nightlatch.ports.directory import UserFilter
from nightlatch.web.common.endpoint import Call, Endpoints
from nightlatch.web.common.query import PageQuery

endpoints = Endpoints("Users")


class UserQuery(PageQuery, frozen=True, kw_only=True):
    """``q`` is looked for at the start of user name and display name."""

    username: str | None = None
    group: str | None = None
    q: str | None = None


@endpoints.post(
    "/v1/users",
    scope="users:write",
    status=201,
    creates=True,
    refusals=(Conflict,),
    example={"username": "maya", "display_name": "Maya Lindt", "emails": ["maya@example.com"]},
)
async def create_user(call: Call, body: NewUser) -> UserAnswer:
    """Create a user.

    A service account needs `owner` and `expires_at`. A user name is never given out twice, even after deletion.
    Mail addresses and phone numbers go in as text and come out with `verified_at`; only Nightlatch verifies them.
    """
    return await create(call.ports, call.caller, body)


@endpoints.get("/v1/users", scope="users:read")
async def list_all_users(call: Call, query: UserQuery) -> Page[UserAnswer]:
    """List users.

    Oldest first. `q` is looked for at the start of user name and display name.
    """
    which = UserFilter(username=query.username, group=query.group, text=query.q)
    return await list_users(call.ports, call.caller, which, query.cursor, query.limit)


@endpoints.get("/v1/users/{user}", scope="users:read")
async def get_user(call: Call, user: str) -> UserAnswer:
    """Read a user."""
    return await find_user(call.ports, call.caller, user)


@endpoints.patch(
    "/v1/users/{user}",
    scope="users:write",
    refusals=(Conflict,),
    example={"display_name": "Maya L.", "groups": ["staff"]},
)
async def change_user(call: Call, user: str, body: UserPatch) -> UserAnswer:
    """Change a user.

    Only what is sent changes; `null` clears what may be empty. `status` `disabled` refuses every sign-in and
    revokes all devices. User name and kind never change.
    """
    return await change(call.ports, call.caller, user, body)


@endpoints.delete("/v1/users/{user}", scope="users:write")
async def delete_user(call: Call, user: str) -> None:
    """Delete a user.

    Factors, devices and personal data are gone at once; the name stays taken, so that nobody inherits it.
    """
    await delete(call.ports, call.caller, user)
