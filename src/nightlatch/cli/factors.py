"""``nightlatch factor``: the ways in which a user proves who they are."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from nightlatch.app.factors.find import list_factors
from nightlatch.app.factors.remove import remove_factor
from nightlatch.app.factors.unlock import unlock_factor
from nightlatch.cli.failures import Failure
from nightlatch.cli.output import print_fields, print_json, print_table, say
from nightlatch.cli.session import HERE, Json, Where, session

commands = App(
    name="factor",
    help="The ways in which a user proves who they are.",
    help_epilogue="""Examples:
  nightlatch factor list maya
  nightlatch factor unlock maya fac_0192…
  nightlatch factor revoke maya fac_0192… --approval atn_0192…""",
)

COLUMNS = ("id", "kind", "status", "label", "created_at", "last_used_at", "codes_left")


@commands.command(name="list")
async def list_(user: str, /, *, json: Json = False, where: Where = HERE) -> None:
    """List a user's factors."""
    async with session(where) as use:
        page = await list_factors(use.opened.ports, use.caller, user)
    if json:
        print_json(page.data)
    else:
        print_table(page.data, COLUMNS, empty=f"{user} has no factors.")


@commands.command
async def show(user: str, factor: str, /, *, json: Json = False, where: Where = HERE) -> None:
    """Show one factor. Its secret is never shown again, to anybody."""
    async with session(where) as use:
        page = await list_factors(use.opened.ports, use.caller, user)
    found = next((one for one in page.data if one.id == factor), None)
    if found is None:
        raise Failure(f"{user} has no factor {factor}.")
    if json:
        print_json(found)
    else:
        print_fields(found)


@commands.command
async def revoke(
    user: str,
    factor: str,
    /,
    *,
    approval: Annotated[
        str | None, Parameter(help="The user's own approved authentication for manage_factors, atn_….")
    ] = None,
    where: Where = HERE,
) -> None:
    """Remove a factor, with its owner's approval; a pending one, which never counted, without."""
    async with session(where) as use:
        await remove_factor(use.opened.ports, use.caller, user, factor, approval)
    say(f"{factor} is gone, and the devices of {user} are forgotten.")


@commands.command
async def unlock(user: str, factor: str, /, *, where: Where = HERE) -> None:
    """Let a factor be used again that stopped, after wrong answers or a no on the phone; its owner is told by mail.

    Make sure first of whom you talk to. With one phone, all phones of that person may be asked again.
    """
    async with session(where) as use:
        freed = await unlock_factor(use.opened.ports, use.caller, user, factor)
    say(f"{factor} may be used again." if freed else f"{factor} was not stopped.")
