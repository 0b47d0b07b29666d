"""The throttle against any order of tries, successes, unlocks and clocks."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nightlatch.domain import throttle
from nightlatch.domain.records import FactorState
from nightlatch.domain.throttle import Lane, Throttled
from nightlatch.domain.time import DAY, HOUR, MINUTE, SECOND

LANES = st.sampled_from(Lane)


class Throttling(RuleBasedStateMachine):
    """Two clocks: ``real`` only goes on; the server's may be set back and forth beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = FactorState(factor_id="fac_1", user_id="usr_1", counter=7)
        self.real = 0
        self.now = 1_766_000_000 * SECOND
        self.judged = dict.fromkeys(Lane, 0)
        self.last_failure: dict[Lane, int | None] = dict.fromkeys(Lane)
        self.clock_moved = False

    def throttled(self, lane: Lane) -> Throttled | None:
        """What the throttle says now."""
        try:
            throttle.check(self.state, lane, self.now)
        except Throttled as throttled:
            return throttled
        return None

    @rule(lane=LANES, times=st.integers(1, 40))
    def guess(self, lane: Lane, times: int) -> None:
        """So many wrong answers, each after the wait that the last one got."""
        for _ in range(times):
            throttled = self.throttled(lane)
            if throttled is not None:
                if throttled.until is None:
                    return
                self.real += throttled.until - self.now
                self.now = throttled.until
            self.fail(lane)

    @rule(lane=LANES)
    def hammer(self, lane: Lane) -> None:
        """A hundred wrong answers at once: what is not judged leaves no trace."""
        for _ in range(100):
            if self.throttled(lane) is None:
                self.fail(lane)
        assert self.judged[lane] < throttle.FREE or self.throttled(lane) is not None

    def fail(self, lane: Lane) -> None:
        self.state = throttle.after_failure(self.state, lane, self.now)
        self.judged[lane] += 1
        self.last_failure[lane] = self.real
        if lane is Lane.OTHER:
            assert sum(self.judged.values()) <= throttle.STOP_OTHER, "a stranger took a try of the owner's last twenty"

    @rule(lane=LANES)
    def answer_rightly(self, lane: Lane) -> None:
        """A right answer, if it is judged."""
        if self.throttled(lane) is None:
            self.state = throttle.after_success(self.state)
            self.forget()

    @rule()
    @precondition(lambda self: self.state.stopped)
    def unlock(self) -> None:
        """The owner proved another factor."""
        self.state = throttle.unlock(self.state)
        self.forget()

    def forget(self) -> None:
        self.judged = dict.fromkeys(Lane, 0)
        self.last_failure = dict.fromkeys(Lane)

    @rule(span=st.sampled_from([1, SECOND, 29 * SECOND, MINUTE, HOUR, DAY]))
    def pass_time(self, span: int) -> None:
        """Time goes on."""
        self.real += span
        self.now += span

    @rule(shift=st.integers(-400 * DAY, 400 * DAY))
    def set_clock(self, shift: int) -> None:
        """Somebody sets the server's clock."""
        self.now += shift
        self.clock_moved = True

    @invariant()
    def counts_what_was_judged(self) -> None:
        """No more, no less, a lane at a time; never over the limits."""
        assert (self.state.failures_known, self.state.failures_other) == (
            self.judged[Lane.KNOWN],
            self.judged[Lane.OTHER],
        )
        assert sum(self.judged.values()) <= throttle.STOP
        assert self.state.counter == 7

    @invariant()
    def never_waits_longer_than_the_longest(self) -> None:
        """Neither by what is told, nor by what has really passed, whatever the clock did."""
        for lane in Lane:
            throttled = self.throttled(lane)
            if throttled is None or throttled.until is None:
                continue
            assert self.now < throttled.until <= self.now + throttle.LONGEST_WAIT

    @invariant()
    def waits_as_long_as_it_should(self) -> None:
        """While nobody touches the clock, a try is judged exactly when its lane's wait is over."""
        if self.clock_moved:
            return
        for lane in Lane:
            failed_at = self.last_failure[lane]
            due = 0 if failed_at is None else failed_at + throttle.wait_after(self.judged[lane])
            throttled = self.throttled(lane)
            if throttled is None:
                assert self.real >= due
            elif not throttled.stopped:
                assert self.real < due

    @invariant()
    def stops_only_at_its_limits(self) -> None:
        """A lane is shut for good exactly from 80 failures in all, or 100."""
        total = sum(self.judged.values())
        for lane, limit in ((Lane.KNOWN, throttle.STOP), (Lane.OTHER, throttle.STOP_OTHER)):
            throttled = self.throttled(lane)
            assert (throttled is not None and throttled.stopped) is (total >= limit)


TestThrottling = pytest.mark.requirement("H1", "H2", "H4", "H5")(Throttling.TestCase)
TestThrottling.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
