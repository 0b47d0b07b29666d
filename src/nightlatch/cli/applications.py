"""``nightlatch app``: the applications that call us, and their keys."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from nightlatch.app.applications.create import create_application
from nightlatch.app.applications.list import list_applications
from nightlatch.app.applications.revoke import revoke_application
from nightlatch.app.applications.rotate import rotate_key
from nightlatch.app.messages import CreatedApplication, NewApplication
from nightlatch.cli.output import out, print_json, print_table, say
from nightlatch.cli.session import HERE, Json, Where, session

commands = App(
    name="app",
    help="Applications and their API keys.",
    help_epilogue="""Examples:
  nightlatch app create bank --scope authenticate --scope enroll
  nightlatch app create shop --return-url https://shop.example/signed-in
  nightlatch app list --json
  nightlatch app rotate app_0192…""",
)

COLUMNS = ("id", "name", "scopes", "return_urls", "first_factor", "revoked_at")


@commands.command
async def create(
    name: str,
    /,
    *,
    scope: Annotated[tuple[str, ...], Parameter(negative="", help="What the key may do; repeat for several.")] = (
        "authenticate",
    ),
    return_url: Annotated[
        tuple[str, ...], Parameter(negative="", help="Where the hosted prompt may return to; repeat for several.")
    ] = (),
    first_factor: Annotated[
        Literal["pwd", "none"],
        Parameter(help="What the application itself proves before it calls: a password, or nothing."),
    ] = "pwd",
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Register an application and print its key, this once.

    Parameters
    ----------
    name
        What people and operators call it.
    """
    new = NewApplication(name=name, scopes=list(scope), return_urls=list(return_url), first_factor=first_factor)
    async with session(where, make=True) as use:
        created = await create_application(use.opened.ports, use.caller, new)
    _print_key(created, json=json)


@commands.command(name="list")
async def list_(*, json: Json = False, where: Where = HERE) -> None:
    """List all applications, revoked ones included."""
    async with session(where) as use:
        page = await list_applications(use.opened.ports, use.caller)
    if json:
        print_json(page.data)
    else:
        print_table(page.data, COLUMNS, empty="No applications yet. nightlatch app create NAME makes one.")


@commands.command
async def revoke(application: str, /, *, where: Where = HERE) -> None:
    """Revoke an application: its keys open nothing any more, within two seconds.

    Parameters
    ----------
    application
        The id, app_….
    """
    async with session(where) as use:
        await revoke_application(use.opened.ports, use.caller, application)
    say(f"{application} is revoked.")


@commands.command
async def rotate(application: str, /, *, json: Json = False, where: Where = HERE) -> None:
    """Give an application a new key and print it, this once. The old key is dead.

    Parameters
    ----------
    application
        The id, app_….
    """
    async with session(where) as use:
        created = await rotate_key(use.opened.ports, use.caller, application)
    _print_key(created, json=json)


def _print_key(created: CreatedApplication, *, json: bool) -> None:
    if json:
        print_json(created)
        return
    out.print(f"id       {created.id}\napi key  {created.api_key}")
    say("The key is shown this once. Keep it where the application reads its secrets.")
