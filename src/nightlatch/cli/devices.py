"""``nightlatch device``: browsers and apps that were seen before."""

from __future__ import annotations

from cyclopts import App

from nightlatch.app.devices import list_devices, revoke_device, revoke_devices
from nightlatch.cli.failures import USAGE, Failure
from nightlatch.cli.output import print_json, print_table, say
from nightlatch.cli.session import HERE, Json, Where, session

commands = App(
    name="device",
    help="Browsers and apps that a user was seen with.",
    help_epilogue="""Examples:
  nightlatch device list maya
  nightlatch device revoke maya dev_0192…
  nightlatch device revoke maya --all""",
)

COLUMNS = ("id", "application", "user_agent", "remembered", "last_seen_at")


@commands.command(name="list")
async def list_(user: str, /, *, json: Json = False, where: Where = HERE) -> None:
    """List a user's devices, newest first."""
    async with session(where) as use:
        page = await list_devices(use.opened.ports, use.caller, user)
    if json:
        print_json(page.data)
    else:
        print_table(page.data, COLUMNS, empty=f"{user} has no devices.")


@commands.command
async def revoke(user: str, device: str | None = None, /, *, all_: bool = False, where: Where = HERE) -> None:
    """Forget a device, or all of a user's: nothing is remembered for them any more.

    Parameters
    ----------
    device
        The id, dev_….
    all_
        Forget every device of this user.
    """
    if (device is None) is not all_:
        raise Failure("Name one device, or pass --all.", USAGE)
    async with session(where) as use:
        if device is not None:
            await revoke_device(use.opened.ports, use.caller, user, device)
        else:
            await revoke_devices(use.opened.ports, use.caller, user)
    say(f"{device or 'Every device'} of {user} is forgotten.")
