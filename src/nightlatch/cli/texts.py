"""``nightlatch sms``: what texts went where, what became of them, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from nightlatch.app.texts.statistics import TextStatistics, text_statistics
from nightlatch.app.texts.watch import lift_pause
from nightlatch.cli.failures import USAGE, Failure
from nightlatch.cli.output import out, print_json, print_table, say
from nightlatch.cli.picture import bars
from nightlatch.cli.session import HERE, Json, Where, session
from nightlatch.domain.policy.durations import read as read_duration

commands = App(
    name="sms",
    help="Texts: what was sent, what arrived, whose code was typed, what it cost.",
    help_epilogue="""Examples:
  nightlatch sms report
  nightlatch sms report --since 30_days --picture texts.svg
  nightlatch sms resume +49151""",
)

COLUMNS = ("country", "prefix", "asked", "sent", "delivered", "failed", "verified", "latency", "cost")


@commands.command
async def report(
    *,
    since: Annotated[str, Parameter(help="How far to look back: 24_hours, 7_days, P30D.")] = "7_days",
    picture: Annotated[Path | None, Parameter(help="Write a picture (SVG) of texts and typed codes by prefix.")] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Texts by range of numbers, the dearest first.

    Costs are estimates from the file that sms.price_file names.
    """
    try:
        back = read_duration(since)
    except ValueError as error:
        raise Failure(f"--since {since}: {error}", USAGE) from None
    async with session(where) as use:
        ports = use.opened.ports
        told = await text_statistics(ports, since=ports.clock.now() - back)
    if picture is not None:
        rows = [(f"{row.country} {row.prefix}", row.sent, row.verified) for row in told.rows]
        picture.write_text(bars("Texts sent, and codes typed", rows), encoding="utf-8")
    if json:
        print_json(told)
    else:
        _print(told)


@commands.command
async def resume(prefix: str, /, *, where: Where = HERE) -> None:
    """Let texts go to a paused range of numbers again."""
    async with session(where) as use:
        await lift_pause(use.opened.ports, use.caller, prefix)
    say(f"Texts go to {prefix} again.")


def _print(told: TextStatistics) -> None:
    print_table(told.rows, COLUMNS, empty="No text was asked for in this time.")
    if told.cost is not None:
        out.print(f"Estimated cost: {told.cost} {told.currency}")
    for pause in told.paused:
        out.print(f"Paused until {pause.until:%Y-%m-%d %H:%M} UTC: {pause.prefix} ({pause.reason})")
    if told.people:
        out.print(f"{told.only_by_text} of {told.people} people have no way to sign in but texts.")
