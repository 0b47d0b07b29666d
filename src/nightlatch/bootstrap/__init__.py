"""The only place that wires adapters into use cases."""

from nightlatch.bootstrap.errors import CannotStart, NothingHere
from nightlatch.bootstrap.opening import Opened, open_beside, open_everything, open_ports
from nightlatch.bootstrap.preparing import prepare
from nightlatch.bootstrap.server import create_app

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
