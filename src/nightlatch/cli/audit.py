"""``nightlatch audit``: what happened, in order."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from nightlatch.app.audit_events import export_events
from nightlatch.cli.failures import USAGE, Failure
from nightlatch.cli.output import print_json_line
from nightlatch.cli.session import HERE, Where, session
from nightlatch.domain.time import parse_rfc3339
from nightlatch.ports.directory import EventFilter

commands = App(
    name="audit",
    help="The audit log.",
    help_epilogue="""Examples:
  nightlatch audit export > events.jsonl
  nightlatch audit export --after 10482 --user maya --since 2026-11-01T00:00:00Z""",
)


@commands.command
async def export(
    *,
    after: Annotated[int, Parameter(help="Only what comes after this seq, to go on where an export ended.")] = 0,
    user: Annotated[str | None, Parameter(help="Only events of this user: id or user name.")] = None,
    application: Annotated[str | None, Parameter(help="Only events at this application, app_….")] = None,
    type_: Annotated[str | None, Parameter(name="--type", help="Only this type, such as factor:removed.")] = None,
    since: Annotated[str | None, Parameter(help="RFC 3339, inclusive.")] = None,
    until: Annotated[str | None, Parameter(help="RFC 3339, exclusive.")] = None,
    where: Where = HERE,
) -> None:
    """Print events as JSON lines, in the order of seq, without a gap."""
    which = EventFilter(
        user_id=user,
        application_id=application,
        type=type_,
        since=_instant("--since", since),
        until=_instant("--until", until),
    )
    async with session(where) as use:
        async for event in export_events(use.opened.ports, use.caller, which, after=after):
            print_json_line(event)


def _instant(flag: str, text: str | None) -> int | None:
    try:
        return parse_rfc3339(text) if text is not None else None
    except ValueError:
        raise Failure(f"{flag} {text!r} is no time like 2026-11-01T00:00:00Z.", USAGE) from None
