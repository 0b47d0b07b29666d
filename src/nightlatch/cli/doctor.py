"""``nightlatch doctor``: what is wrong, and how to mend it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from rich.text import Text

from nightlatch.bootstrap.doctor import Finding, diagnose
from nightlatch.cli.failures import REFUSED
from nightlatch.cli.output import out, print_json, printable
from nightlatch.cli.session import HERE, Json, Where
from nightlatch.config import ConfigError, Settings

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


async def doctor(*, json: Json = False, where: Where = HERE) -> int:
    """Look at configuration, database, keys, clock and the rest; say how to mend what is wrong.

    Exits with 1 when something fails.
    """
    findings = []
    async for finding in _findings(where):
        findings.append(finding)
        if not json:
            _print(finding)
    if json:
        print_json(findings)
    return REFUSED if any(finding.status == "fail" for finding in findings) else 0


async def _findings(where: Where) -> AsyncIterator[Finding]:
    try:
        settings = where.settings()
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", "fail", str(problem))
        return
    yield Finding("configuration", "ok", _source(settings))
    async for finding in diagnose(settings):
        yield finding


def _source(settings: Settings) -> str:
    return f"read from {settings.file}" if settings.file else "no nightlatch.toml; environment and flags"


def _print(finding: Finding) -> None:
    line = Text()
    line.append(f"{finding.status:<5}", style=_STYLES[finding.status])
    line.append(f"{finding.name}: {printable(finding.detail)}")
    out.print(line, soft_wrap=True)
    if finding.mend:
        out.print(Text(f"     {printable(finding.mend)}", style="dim"))
