"""How wrong answers slow down the next ones, a factor at a time.

Failures are counted in two lanes: requests with a device that the user is known by, and all others. Whoever guesses
from elsewhere makes the other lane wait, and not the owner; and the last tries before the factor stops are the
owner's, so that a stranger cannot use it up (NIST SP 800-63B-4 §3.2.2).
"""

from __future__ import annotations

from enum import StrEnum

from msgspec.structs import replace

from nightlatch.domain.records import FactorState
from nightlatch.domain.time import HOUR, SECOND, whole_seconds

FREE = 5
"""Wrong answers in a lane before its next try waits: people mistype."""

FIRST_WAIT = 30 * SECOND
LONGEST_WAIT = 1 * HOUR
"""The wait doubles from the first to the longest."""

STOP = 100
"""Wrong answers in all after which the factor stops (NIST SP 800-63B-4 §3.2.2: at most 100 in a row)."""

STOP_OTHER = 80
"""Wrong answers in all after which only known devices may still try: the last 20 belong to the owner."""


class Lane(StrEnum):
    """Whose tries wait together."""

    KNOWN = "known"
    OTHER = "other"


class Throttled(Exception):
    """A try is not judged now. ``until`` is the instant (µs) at which one will be, None if waiting does not help.

    ``stopped``: the lane stays shut until the owner proves another factor, or an operator or a recovery unlocks this.
    """

    def __init__(self, until: int | None, *, stopped: bool) -> None:
        super().__init__("stopped" if stopped else "throttled")
        self.until = until
        self.stopped = stopped

    def retry_after(self, now: int) -> int | None:
        """Whole seconds to wait, rounded up; None if waiting does not help."""
        return None if self.until is None else whole_seconds(self.until - now)


def check(state: FactorState, lane: Lane, now: int) -> None:
    """Return if a try may be judged at an instant (µs); else raise ``Throttled``, and leave the try uncounted.

    No wait that is set ends later than the longest from now. One that seems to was set before the clock was set back,
    and shuts nobody out for a day: it holds for its last hour only. That may gain a guesser a try, which counts like
    any. Waits that end sooner hold in any case, for another node's clock may simply be ahead of this one's.
    """
    if is_stopped(state, lane):
        raise Throttled(None, stopped=True)
    until = _blocked_until(state, lane)
    if now < until <= now + LONGEST_WAIT:
        raise Throttled(until, stopped=False)


def after_failure(state: FactorState, lane: Lane, now: int) -> FactorState:
    """The state after one wrong answer was judged at an instant (µs)."""
    known = state.failures_known + (lane is Lane.KNOWN)
    other = state.failures_other + (lane is Lane.OTHER)
    until = now + wait_after(known if lane is Lane.KNOWN else other)
    return replace(
        state,
        failures_known=known,
        failures_other=other,
        blocked_known_until=until if lane is Lane.KNOWN else state.blocked_known_until,
        blocked_other_until=until if lane is Lane.OTHER else state.blocked_other_until,
        stopped=state.stopped or known + other >= STOP,
    )


def after_success(state: FactorState) -> FactorState:
    """The state after a right answer: this factor starts anew, and no other (H4)."""
    return unlock(state)


def unlock(state: FactorState) -> FactorState:
    """The state after its owner proved another factor, or an operator or a recovery let it go on."""
    return replace(
        state,
        failures_known=0,
        failures_other=0,
        blocked_known_until=0,
        blocked_other_until=0,
        stopped=False,
    )


def is_stopped(state: FactorState, lane: Lane) -> bool:
    """Whether waiting no longer helps in this lane."""
    failures = state.failures_known + state.failures_other
    return state.stopped or failures >= (STOP_OTHER if lane is Lane.OTHER else STOP)


def wait_after(failures: int) -> int:
    """How long (µs) a lane waits after so many wrong answers in a row."""
    if failures < FREE:
        return 0
    # Past 2^7 the wait is the longest anyway; a bounded shift keeps a strange count from making a huge number.
    return min(FIRST_WAIT << min(failures - FREE, 16), LONGEST_WAIT)


def _blocked_until(state: FactorState, lane: Lane) -> int:
    return state.blocked_known_until if lane is Lane.KNOWN else state.blocked_other_until
