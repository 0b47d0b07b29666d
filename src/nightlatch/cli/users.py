"""``nightlatch user``: people and service accounts."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from cyclopts import App, Parameter

from nightlatch.app.messages import NewUser, UserAnswer, UserPatch
from nightlatch.app.users.change import change_user
from nightlatch.app.users.create import create_user
from nightlatch.app.users.delete import delete_user
from nightlatch.app.users.find import find_user, list_users
from nightlatch.cli.failures import USAGE, Failure
from nightlatch.cli.output import print_fields, print_json, print_table, say
from nightlatch.cli.session import HERE, Json, Where, session
from nightlatch.domain.records import UserKind
from nightlatch.domain.time import moment, parse_rfc3339
from nightlatch.ports.directory import UserFilter

commands = App(
    name="user",
    help="People and service accounts, by id (usr_…) or user name.",
    help_epilogue="""Examples:
  nightlatch user create maya --display-name "Maya Rao" --group staff
  nightlatch user create nightly --kind service --owner maya --expires-at 2027-01-01T00:00:00Z
  nightlatch user list --group admins --json""",
)

COLUMNS = ("id", "username", "display_name", "kind", "groups", "status")
PAGE = 200

Repeated = Parameter(negative="", help="Repeat for several.")


@commands.command(name="list")
async def list_(
    *,
    group: str | None = None,
    search: Annotated[str | None, Parameter(help="The start of a user name or display name.")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many; all without it.")] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """List users, oldest first."""
    found: list[UserAnswer] = []
    async with session(where) as use:
        cursor: str | None = None
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            which = UserFilter(group=group, text=search)
            page = await list_users(use.opened.ports, use.caller, which, cursor, size)
            found += page.data
            cursor = page.next_cursor
            if cursor is None:
                break
    if json:
        print_json(found)
    else:
        print_table(found, COLUMNS, empty="No users.")


@commands.command
async def show(user: str, /, *, json: Json = False, where: Where = HERE) -> None:
    """Show one user."""
    async with session(where) as use:
        answer = await find_user(use.opened.ports, use.caller, user)
    _print(answer, json=json)


@commands.command
async def create(
    username: str,
    /,
    *,
    display_name: str | None = None,
    kind: UserKind = UserKind.PERSON,
    group: Annotated[tuple[str, ...], Repeated] = (),
    email: Annotated[tuple[str, ...], Repeated] = (),
    phone: Annotated[tuple[str, ...], Repeated] = (),
    locale: str | None = None,
    owner: Annotated[str | None, Parameter(help="Who answers for a service account.")] = None,
    expires_at: Annotated[str | None, Parameter(help="When a service account ends, RFC 3339.")] = None,
    network: Annotated[tuple[str, ...], Repeated] = (),
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Create a user."""
    new = NewUser(
        username=username,
        display_name=display_name,
        kind=kind,
        groups=list(group),
        emails=list(email),
        phones=list(phone),
        locale=locale,
        owner=owner,
        expires_at=_time(expires_at),
        networks=list(network),
    )
    async with session(where, make=True) as use:
        answer = await create_user(use.opened.ports, use.caller, new)
    _print(answer, json=json)


@commands.command
async def disable(user: str, /, *, where: Where = HERE) -> None:
    """Disable a user: nobody signs in as them, and their devices are forgotten."""
    async with session(where) as use:
        await change_user(use.opened.ports, use.caller, user, UserPatch(status="disabled"))
    say(f"{user} is disabled.")


@commands.command
async def enable(user: str, /, *, where: Where = HERE) -> None:
    """Let a disabled user sign in again."""
    async with session(where) as use:
        await change_user(use.opened.ports, use.caller, user, UserPatch(status="active"))
    say(f"{user} may sign in again.")


@commands.command
async def delete(user: str, /, *, yes: bool = False, where: Where = HERE) -> None:
    """Delete a user for good: ways to sign in, devices and personal data go, the name stays taken.

    Parameters
    ----------
    yes
        Say that you mean it.
    """
    if not yes:
        raise Failure(f"This erases {user} for good. Repeat with --yes if you mean it.", USAGE)
    async with session(where) as use:
        await delete_user(use.opened.ports, use.caller, user)
    say(f"{user} is deleted.")


def _time(text: str | None) -> dt.datetime | None:
    try:
        return moment(parse_rfc3339(text)) if text is not None else None
    except ValueError:
        raise Failure(f"--expires-at {text!r} is no time like 2027-01-01T00:00:00Z.", USAGE) from None


def _print(answer: UserAnswer, *, json: bool) -> None:
    if json:
        print_json(answer)
    else:
        print_fields(answer)
