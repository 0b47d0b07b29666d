"""What can go wrong between an application and Nightlatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class NightlatchError(Exception):
    """Nothing was approved."""


class Unreachable(NightlatchError):
    """The server did not answer, or not in its own language. That is a "no", never a "yes"."""


class Refused(NightlatchError):
    """The server refused the request (RFC 9457).

    ``code`` is stable; ``errors`` names each bad field with ``pointer``, ``code`` and ``detail``;
    ``retry_after`` is in whole seconds where waiting helps.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: int | None) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.detail = str(problem.get("detail", ""))
        errors = problem.get("errors")
        self.errors: Sequence[Mapping[str, Any]] = errors if isinstance(errors, list) else ()
        self.request_id = problem.get("request_id")
        self.retry_after = retry_after
        fields = "".join(f"; {e.get('pointer')}: {e.get('detail')}" for e in self.errors if isinstance(e, dict))
        super().__init__(f"{self.code} ({status}): {self.detail}{fields}")
