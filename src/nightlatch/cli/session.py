"""What every command has in common: where the settings are, and the open ports."""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from nightlatch.app.context import Caller
from nightlatch.bootstrap import Opened, open_beside
from nightlatch.config import Settings, load_settings

_WHERE = Group("Where", sort_key=100)


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Which installation a command works on."""

    data: Annotated[Path | None, Parameter(group=_WHERE, help="Directory of database and key file.")] = None
    database: Annotated[str | None, Parameter(group=_WHERE, help="sqlite:///PATH or postgresql://….")] = None
    config: Annotated[Path | None, Parameter(group=_WHERE, help="The settings file.")] = None

    def settings(self, **flags: Any) -> Settings:
        """All settings, with these on top. Raises ``ConfigError``."""
        given = {
            "data_dir": str(self.data) if self.data else None,
            "database_url": self.database,
            **flags,
        }
        return load_settings(given, file=self.config)


HERE = Where()
"""The installation that settings and environment name."""

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]


@dataclass(frozen=True)
class Session:
    """Open ports and who calls."""

    opened: Opened
    caller: Caller


@asynccontextmanager
async def session(where: Where, *, make: bool = False) -> AsyncIterator[Session]:
    """Open the installation beside a server that may be running.

    With ``make`` an empty or missing database is set up as ``serve`` would.
    """
    async with open_beside(where.settings(), make=make) as opened:
        yield Session(opened, Caller(f"operator:cli:{_person()}", scopes=frozenset({"admin"})))


def _person() -> str:
    """The account of the operating system; the environment, which anybody can set, is not asked."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
