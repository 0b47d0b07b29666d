"""The only place that wires adapters into use cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightlatch.bootstrap.errors import CannotStart, NothingHere
from nightlatch.bootstrap.opening import Opened, open_beside, open_everything, open_ports, prepare
from nightlatch.config import Settings

if TYPE_CHECKING:
    from nightlatch.bootstrap.server import Application

__all__ = [
    "CannotStart",
    "NothingHere",
    "Opened",
    "create_app",
    "open_beside",
    "open_everything",
    "open_ports",
    "prepare",
]


def create_app(settings: Settings | None = None, *, parent: int | None = None, demo: bool = False) -> Application:
    """The ASGI application: ``uvicorn --factory nightlatch.bootstrap:create_app``.

    ``parent`` is the process that has migrated and made keys, and that this one must not outlive.
    Raises ``ConfigError``.
    """
    # Commands that only look at the database need no web server, nor the time to load it.
    from nightlatch.bootstrap.server import make_app

    return make_app(settings, parent=parent, demo=demo)
