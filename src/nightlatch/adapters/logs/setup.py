"""Everything that logs, ours and the libraries', ends in one chain.

Our own lines go straight to it, since there is one for each request; libraries' come by way of the standard library.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import Processor

from nightlatch.adapters.logs.redaction import redact

_ENCODER = msgspec.json.Encoder(order="sorted")


class _Output:
    """Where lines go now: loggers are kept once they were used, and outlive a change of it."""

    stream: TextIO = sys.stderr


class _Line:
    """A structlog logger: writes what the chain made of an event as one line."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or "nightlatch"

    def msg(self, line: str) -> None:
        """Written at once, so that a crash loses none."""
        _Output.stream.write(line + "\n")
        _Output.stream.flush()

    debug = info = warning = warn = error = exception = critical = fatal = log = msg


def _drop_colors(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """uvicorn says everything twice, the second time for terminals."""
    event.pop("color_message", None)
    return event


def _json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return _ENCODER.encode(event).decode()


def configure_logging(level: str = "INFO", *, plain: bool | None = None, stream: TextIO | None = None) -> None:
    """Write to standard error: JSON lines, or plain ones where a person looks (``plain``).

    Standard output stays free for what commands print.
    """
    _Output.stream = stream or sys.stderr
    plain = _Output.stream.isatty() if plain is None else plain
    first: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Any = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback) if plain else _json
    # Tracebacks without the values of variables.
    last: list[Processor] = [structlog.processors.format_exc_info, redact, render]
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=_Line,
        cache_logger_on_first_use=True,
    )
    _configure_libraries(level, first, last)


def _configure_libraries(level: str, first: list[Processor], last: list[Processor]) -> None:
    handler = logging.StreamHandler(_Output.stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _drop_colors, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Requests are counted, not logged: their paths can hold tokens (X4).
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
