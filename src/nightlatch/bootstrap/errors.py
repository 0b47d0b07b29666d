"""Why there is nothing to work with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from nightlatch.adapters.keys import KeyUnusable
from nightlatch.adapters.sql.migrate import SchemaTooNew
from nightlatch.adapters.sql.url import BadAddress
from nightlatch.domain.errors import Unavailable

_CLASS = re.compile(r"^\([\w.]+\) ")


class CannotStart(Exception):
    """The database or the keys cannot be used; the text says why, and how to mend it."""


class NothingHere(CannotStart):
    """No database was set up here yet."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn what stops a start into ``CannotStart``."""
    try:
        yield
    except (KeyUnusable, BadAddress, SchemaTooNew) as error:
        raise CannotStart(str(error)) from error
    except Unavailable as error:
        reason = f" ({first_line(error.__cause__)})" if error.__cause__ else ""
        raise CannotStart(f"The database does not answer{reason}. nightlatch doctor looks closer.") from error


def first_line(error: BaseException) -> str:
    """The reason without the class, the statement and the links that libraries add."""
    return _CLASS.sub("", str(error).strip().partition("\n")[0])
