"""``nightlatch keys``: what seals and signs."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from nightlatch.app.context import Ports
from nightlatch.app.keys.reseal import reseal_answer, reseal_message, reseal_user
from nightlatch.app.keys.rewrap import rewrap_keys
from nightlatch.app.keys.rotate import Rotation, begin_rotation, finish_rotation
from nightlatch.cli.output import err, print_json, print_table, say
from nightlatch.cli.session import HERE, Json, Session, Where, session
from nightlatch.domain.errors import Throttled
from nightlatch.domain.keys import (
    MAC_KEY,
    published_keys,
    sealing_key,
    sealing_keys,
    signing_key,
    signing_keys,
)
from nightlatch.domain.time import SECOND, moment
from nightlatch.ports.catalog import KeptKeys

commands = App(
    name="keys",
    help="The keys that seal and sign.",
    help_epilogue="""Examples:
  nightlatch keys list
  nightlatch keys rotate                 new keys; everything sealed moves, logins go on
  nightlatch keys rotate --compromised   and what the old signing key signed is worth nothing now
  nightlatch keys rotate --new-key-file /etc/nightlatch/key-2   and the key file leaked""",
)

AT_ONCE = 32
"""Roots that move together; the store makes one batch of them."""

PASSES = 5
"""Who signs in while their row moves is found again by the next walk."""

Walk = Callable[..., Awaitable[Sequence[str]]]
Move = Callable[[Ports, str], Awaitable[bool]]


class KeyLine(msgspec.Struct, frozen=True):
    """A key as people see it: never the key itself."""

    id: str
    use: str
    state: str
    created_at: dt.datetime


@commands.command(name="list")
async def list_(*, json: Json = False, where: Where = HERE) -> None:
    """List all keys and what each of them does now."""
    async with session(where) as use:
        lines = _lines(await use.opened.ports.catalog.keys(), use.opened.ports.clock.now())
    if json:
        print_json(lines)
    else:
        print_table(lines, ("id", "use", "state", "created_at"), empty="No keys.")


@commands.command
async def rotate(
    *,
    compromised: Annotated[
        bool, Parameter(negative="", help="Withdraw the old signing keys at once, not after an hour.")
    ] = False,
    new_key_file: Annotated[
        Path | None, Parameter(help="Also wrap all keys under a new key-encryption key, kept in this file.")
    ] = None,
    where: Where = HERE,
) -> None:
    """Make new keys and move everything that is sealed under them, while logins go on.

    Interrupted, it goes on where it was when it is called again.
    """
    async with session(where) as use:
        opened = use.opened
        rotation = await begin_rotation(opened.ports, use.caller, opened.keys, opened.resealing)
        say(f"{'Going on with' if rotation.resumed else 'New'} data key {rotation.key_id}.")
        with _progress() as progress:
            await _settle(opened.ports, rotation, progress)
            await _move_everything(use, rotation, progress)
        retired = await finish_rotation(opened.ports, use.caller, opened.resealing, rotation, compromised=compromised)
        if new_key_file is not None:
            await rewrap_keys(opened.ports, use.caller, opened.wrapping_under(new_key_file))
    for key_id in retired:
        say(f"Retired {key_id}.")
    say("Everything is sealed under the new key. The new signing key signs as soon as verifiers know it.")
    if new_key_file is not None:
        say(f"The old key file opens nothing any more. Set key_file to {new_key_file} before the next start.")


async def _settle(ports: Ports, rotation: Rotation, progress: Progress) -> None:
    """Wait until every process has loaded the new key."""
    task = progress.add_task("letting every server load the new key", total=None)
    left = rotation.settles_at - ports.clock.now()
    await asyncio.sleep(max(0, left) / SECOND)
    progress.update(task, total=1, completed=1)


async def _move_everything(use: Session, rotation: Rotation, progress: Progress) -> None:
    resealing = use.opened.resealing
    task = progress.add_task("sealing anew", total=await resealing.remaining(rotation.key_id))
    for _ in range(PASSES):
        walks: tuple[tuple[Walk, Move], ...] = (
            (resealing.users, reseal_user),
            (resealing.answers, reseal_answer),
            (resealing.messages, reseal_message),
        )
        for walk, move in walks:
            await _move(use.opened.ports, rotation.key_id, walk, move, progress, task)
        if not await resealing.remaining(rotation.key_id):
            return


async def _move(ports: Ports, key_id: str, walk: Walk, move: Move, progress: Progress, task: TaskID) -> None:
    after = ""
    while ids := await walk(key_id, after=after, limit=AT_ONCE):
        moved = await asyncio.gather(*(move(ports, id_) for id_ in ids), return_exceptions=True)
        for outcome in moved:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Throttled):
                raise outcome
        progress.advance(task, sum(outcome is True for outcome in moved))
        after = ids[-1]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=err, transient=not err.is_terminal
    )


def _lines(kept: KeptKeys, now: int) -> list[KeyLine]:
    in_force, signers = sealing_keys(kept.data_keys), signing_keys(kept.signing_keys)
    seals, signs = sealing_key(in_force, now), signing_key(signers, now)
    published = published_keys(signers, now)
    lines = []
    for key in kept.data_keys:
        if key.id.startswith(MAC_KEY + "_"):
            lines.append(KeyLine(key.id, "digests", "in use", moment(key.created_at)))
            continue
        state = "seals" if key == seals else "settling" if key.created_at > seals.created_at else "opens"
        lines.append(KeyLine(key.id, "data", "retired" if key.retired_at else state, moment(key.created_at)))
    for signer in kept.signing_keys:
        state = "signs" if signer == signs else "announced" if signer.created_at > signs.created_at else "verifies"
        if signer not in published:
            state = "withdrawn" if signer.retired_at else "superseded"
        lines.append(KeyLine(signer.kid, "signing", state, moment(signer.created_at)))
    return lines
