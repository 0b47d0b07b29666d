"""The root of all commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App

import nightlatch
from nightlatch.cli import (
    applications,
    audit,
    authenticator,
    devices,
    doctor,
    factors,
    keys,
    policies,
    serving,
    texts,
    users,
)
from nightlatch.cli.failures import report

ROOT_HELP = """The second lock: a multi-factor authentication server.

Settings come from nightlatch.toml, then NIGHTLATCH_* variables, then flags.
Commands work beside a running server, which follows within two seconds."""

ROOT_EPILOGUE = """Examples:
  nightlatch demo                      look at it, on this machine only
  nightlatch serve --data DIR          migrate, make keys at first start, serve
  nightlatch app create bank           register an application, print its key
  nightlatch doctor                    what is wrong, and how to mend it"""


def root() -> App:
    """All commands."""
    app = App(
        name="nightlatch",
        help=ROOT_HELP,
        help_epilogue=ROOT_EPILOGUE,
        help_format="plaintext",
        version=f"nightlatch {nightlatch.__version__}",
        result_action="return_value",
    )
    for command in (serving.serve, serving.demo, doctor.doctor):
        app.command(command, help_epilogue="")  # the examples of all commands are the root's
    for part in (applications, users, factors, devices, policies, audit, texts, keys, authenticator):
        app.command(part.commands)
    return app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 done, 1 refused, 2 wrong usage or settings, 3 database or keys
    unusable, 130 interrupted.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command. The answer is the exit code."""
    try:
        code = root()(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 1
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the last place that can say it kindly)
        if isinstance(error, BrokenPipeError):
            # Whoever read us went away; Python must not complain about it once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return report(error)
    return code if isinstance(code, int) else 0
