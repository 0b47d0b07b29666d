"""Whether a gateway is worth trying: a circuit that opens after failures in a row, and lets one trial in after a while.

closed ── so many failures in a row ──▶ open ── its time is over ──▶ half-open
  ▲                                      ▲                             │ one trial
  └───────────── it succeeds ────────────┼─────────────────────────────┤
                                         └──────── it fails ───────────┘
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from nightlatch.domain.time import MINUTE, SECOND

OPEN_AFTER = 5
"""Failures in a row; fewer are the weather."""

FIRST_REST = 5 * SECOND
LONGEST_REST = 1 * MINUTE
"""How long nothing is tried: doubled at every trial that fails."""

TRIAL = 30 * SECOND
"""A trial that has no answer by then was lost, and another may be made."""


class CircuitState(StrEnum):
    """Where a circuit stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a gateway. ``rest`` 0: closed. Else nothing is tried before ``until``, an instant (µs);
    ``trial``: something is under way all the same.
    """

    failures: int = 0
    rest: int = 0
    until: int = 0
    trial: bool = False


def state_of(circuit: Circuit, now: int) -> CircuitState:
    """Where it stands at an instant (µs). A rest that ends later than any can was set before the clock went back."""
    if circuit.rest == 0:
        return CircuitState.CLOSED
    return CircuitState.OPEN if now < circuit.until <= now + LONGEST_REST else CircuitState.HALF_OPEN


def begin(circuit: Circuit, now: int) -> Circuit | None:
    """The circuit while something is tried, None if nothing may be. A half-open one is shut to others meanwhile."""
    match state_of(circuit, now):
        case CircuitState.OPEN:
            return None
        case CircuitState.HALF_OPEN:
            return replace(circuit, until=now + TRIAL, trial=True)
        case CircuitState.CLOSED:
            return circuit


def after_success(_circuit: Circuit) -> Circuit:
    """It answered, even if late: everything goes there again."""
    return Circuit()


def after_failure(circuit: Circuit, now: int) -> Circuit:
    """It did not take something that it should have taken."""
    if circuit.rest == 0:
        failures = circuit.failures + 1
        rest = FIRST_REST if failures >= OPEN_AFTER else 0
        return Circuit(failures=failures, rest=rest, until=now + rest)
    if not circuit.trial:
        # Under way when it opened, so it tells nothing new.
        return circuit
    rest = min(2 * circuit.rest, LONGEST_REST)
    return Circuit(failures=circuit.failures + 1, rest=rest, until=now + rest)
