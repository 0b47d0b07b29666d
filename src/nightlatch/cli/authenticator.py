"""``nightlatch authenticator``: the reference authenticator, for desktops and tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from nightlatch.cli.failures import REFUSED, USAGE, Failure
from nightlatch.cli.output import out, say
from nightlatch.config import default_data_dir
from nightlatch_client.authenticator import Authenticator, Waiting
from nightlatch_client.errors import NightlatchError, Refused

commands = App(
    name="authenticator",
    help="Answer sign-ins from this machine, as the authenticator on a phone does.",
    help_epilogue="""Examples:
  nightlatch authenticator pair "https://mfa.example/authenticator#0ABC…"
  nightlatch authenticator pair https://mfa.example --code "0ABC DEFG …"
  nightlatch authenticator listen
  nightlatch authenticator approve --number 482913
  nightlatch authenticator approve --not-me""",
)

FileAt = Annotated[Path | None, Parameter(name="--file", help="Where the paired account is kept.")]

WAIT = 25


@commands.command
def pair(
    uri: str,
    /,
    *,
    code: Annotated[str | None, Parameter(help="The code to type, where there is no picture to read.")] = None,
    number: Annotated[str | None, Parameter(help="The number beside the picture; asked for without.")] = None,
    name: Annotated[str, Parameter(help="What this authenticator is called.")] = "Command line",
    file: FileAt = None,
) -> None:
    """Pair with an account: the key is made here, and the number beside the picture proves that you see it.

    Parameters
    ----------
    uri
        What the QR picture holds, or the server's address.
    """
    path = _path(file)
    if path.exists():
        raise Failure(f"{path} holds a paired account already. Name another --file, or remove it.", USAGE)
    with _refusals():
        phone, waiting = Authenticator.pair(uri, name=name, code=code)
        with phone:
            status = phone.approve(waiting, number or input("Number beside the picture: "))
            if status != "approved":
                raise Failure(f"The pairing ended: {status}. Begin it anew.", REFUSED)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            phone.save(path)
    say(f"Paired as {phone.user['name']}. The account is in {path}.")


@commands.command
def listen(*, once: bool = False, file: FileAt = None) -> None:
    """Wait for sign-ins and answer each: the number approves, n denies, b blocks.

    Parameters
    ----------
    once
        Stop after the first.
    """
    with _refusals(), _loaded(file) as phone:
        say(f"Waiting for sign-ins of {phone.user['name']}. Ctrl-C ends.")
        while True:
            for waiting in phone.waiting(wait=WAIT):
                _show(waiting)
                out.print(_answered(phone, waiting, input("Number on that screen, n for no, b to block: ")))
                if once:
                    return


@commands.command
def approve(
    *,
    number: Annotated[str | None, Parameter(help="The six digits that the sign-in shows.")] = None,
    deny: Annotated[bool, Parameter(negative="", help="Say no.")] = False,
    not_me: Annotated[bool, Parameter(negative="", help="Say no, and block pushes: it was not you.")] = False,
    file: FileAt = None,
) -> None:
    """Answer the sign-in that waits now."""
    if [number is not None, deny, not_me].count(True) != 1:
        raise Failure("Pass one of --number, --deny, --not-me.", USAGE)
    with _refusals(), _loaded(file) as phone:
        found = phone.waiting()
        if not found:
            raise Failure("No sign-in waits for this authenticator.", REFUSED)
        waiting = found[0]
        status = phone.approve(waiting, number) if number is not None else phone.deny(waiting, not_me=not_me)
    out.print(status)
    if number is not None and status != "approved":
        raise Failure(f"It was not approved: {status}.", REFUSED)


def _answered(phone: Authenticator, waiting: Waiting, typed: str) -> str:
    if typed.strip().lower() in ("n", "b"):
        return phone.deny(waiting, not_me=typed.strip().lower() == "b")
    return phone.approve(waiting, typed)


def _show(waiting: Waiting) -> None:
    where = ", ".join(part for part in (waiting.browser, waiting.network) if part)
    out.print(f"Signing in to {waiting.application or 'your own page'}? ({waiting.action}; {where or 'place unknown'})")


def _path(file: Path | None) -> Path:
    return file or default_data_dir(os.environ) / "authenticator.json"


def _loaded(file: Path | None) -> Authenticator:
    path = _path(file)
    try:
        return Authenticator.load(path)
    except FileNotFoundError:
        raise Failure(f"There is no paired account in {path}. Pair one first.", USAGE) from None
    except ValueError as error:
        raise Failure(str(error), USAGE) from None


@contextmanager
def _refusals() -> Iterator[None]:
    """What a server refuses, said in a line."""
    try:
        yield
    except Refused as refused:
        raise Failure(refused.detail, REFUSED) from None
    except (NightlatchError, ValueError) as error:
        raise Failure(str(error), REFUSED) from None
