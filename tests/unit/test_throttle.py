"""Wrong answers slow down the next, and never the owner for good."""

from __future__ import annotations

import pytest

from nightlatch.domain import throttle
from nightlatch.domain.records import FactorState
from nightlatch.domain.throttle import Lane, Throttled, after_failure, after_success, check, unlock
from nightlatch.domain.time import DAY, HOUR, SECOND

NOW = 1_766_000_000 * SECOND
FRESH = FactorState(factor_id="fac_1", user_id="usr_1", counter=7)


def failed(count: int, lane: Lane, state: FactorState = FRESH, now: int = NOW) -> FactorState:
    """The state after so many wrong answers at one instant."""
    for _ in range(count):
        state = after_failure(state, lane, now)
    return state


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("lane", Lane)
def test_five_wrong_answers_are_free(lane: Lane) -> None:
    """The fifth is still judged at once; the sixth waits."""
    for count in range(5):
        check(failed(count, lane), lane, NOW)
    with pytest.raises(Throttled):
        check(failed(5, lane), lane, NOW)


@pytest.mark.requirement("H2")
@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(4, 0), (5, 30), (6, 60), (7, 120), (8, 240), (9, 480), (10, 960), (11, 1920), (12, 3600), (50, 3600), (79, 3600)],
)
def test_the_wait_doubles_from_thirty_seconds_to_an_hour(failures: int, seconds: int) -> None:
    """The next try is judged when the wait is over, and not a µs before."""
    assert throttle.wait_after(failures) == seconds * SECOND
    state = failed(failures, Lane.OTHER)
    end = NOW + seconds * SECOND
    check(state, Lane.OTHER, end)
    if seconds:
        with pytest.raises(Throttled) as throttled:
            check(state, Lane.OTHER, end - 1)
        assert (throttled.value.until, throttled.value.stopped) == (end, False)
        assert throttled.value.retry_after(NOW) == seconds
        assert throttled.value.retry_after(end - 1) == 1


@pytest.mark.requirement("H1")
def test_a_count_beyond_reason_waits_no_longer() -> None:
    """A strange count in a row does not become a huge number."""
    assert throttle.wait_after(10**9) == HOUR


@pytest.mark.requirement("H5")
@pytest.mark.parametrize(("guessed", "free"), [(Lane.OTHER, Lane.KNOWN), (Lane.KNOWN, Lane.OTHER)])
def test_a_lane_waits_for_its_own_failures_only(guessed: Lane, free: Lane) -> None:
    """Whoever guesses from elsewhere does not make the owner's device wait."""
    state = failed(20, guessed)
    with pytest.raises(Throttled):
        check(state, guessed, NOW)
    check(state, free, NOW)
    check(failed(4, free, state), free, NOW)


@pytest.mark.requirement("H1")
def test_eighty_failures_stop_requests_without_a_known_device() -> None:
    """Waiting does not help any more, and the owner's device goes on."""
    check(failed(79, Lane.OTHER), Lane.OTHER, NOW + HOUR)
    stopped = failed(80, Lane.OTHER)
    with pytest.raises(Throttled) as throttled:
        check(stopped, Lane.OTHER, NOW + 365 * DAY)
    assert throttled.value.stopped
    assert throttled.value.until is None
    assert throttled.value.retry_after(NOW) is None
    check(stopped, Lane.KNOWN, NOW)


@pytest.mark.requirement("H1", "H5")
def test_the_last_twenty_tries_belong_to_known_devices() -> None:
    """After eighty from elsewhere the owner has twenty; whoever failed before, others never get into them."""
    assert throttle.STOP - throttle.STOP_OTHER == 20
    check(failed(19, Lane.KNOWN, failed(80, Lane.OTHER)), Lane.KNOWN, NOW + HOUR)
    for known in range(1, 21):
        state = failed(80 - known, Lane.OTHER, failed(known, Lane.KNOWN))
        with pytest.raises(Throttled):
            check(state, Lane.OTHER, NOW + HOUR)
        check(state, Lane.KNOWN, NOW + HOUR)


@pytest.mark.requirement("H1")
def test_a_hundred_failures_stop_the_factor() -> None:
    """In every lane, for as long as nobody unlocks it."""
    state = failed(20, Lane.KNOWN, failed(80, Lane.OTHER))
    assert state.stopped
    for lane in Lane:
        with pytest.raises(Throttled) as throttled:
            check(state, lane, NOW + 365 * DAY)
        assert throttled.value.stopped
    for lane in Lane:
        check(unlock(state), lane, NOW)


@pytest.mark.requirement("H4")
def test_a_success_resets_the_factor_and_touches_nothing_else() -> None:
    """Failures, waits and stop are gone; the counter and the rest stay."""
    state = failed(10, Lane.KNOWN, failed(60, Lane.OTHER))
    assert after_success(state) == FRESH
    assert unlock(failed(100, Lane.KNOWN)) == FRESH


def test_failures_must_be_in_a_row() -> None:
    """Four wrong, one right, four wrong: nobody waits."""
    state = failed(4, Lane.OTHER, after_success(failed(4, Lane.OTHER)))
    check(state, Lane.OTHER, NOW)


@pytest.mark.requirement("H1")
def test_a_check_changes_and_counts_nothing() -> None:
    """A throttled try leaves the state as it is: records are frozen, and the check returns none."""
    state = failed(7, Lane.OTHER)
    before = repr(state)
    with pytest.raises(Throttled):
        check(state, Lane.OTHER, NOW)
    assert repr(state) == before


@pytest.mark.requirement("H2")
@pytest.mark.parametrize("back", [1, SECOND, HOUR - 1, HOUR, HOUR + 1, DAY, 365 * DAY])
@pytest.mark.parametrize("failures", [5, 8, 12, 79])
def test_a_clock_set_back_never_lengthens_a_wait_beyond_the_maximum(back: int, failures: int) -> None:
    """Whenever a try comes after the clock went back, an hour's patience is enough, and what is told is true."""
    state = failed(failures, Lane.OTHER)
    for offset in (0, 1, SECOND, HOUR, back - HOUR, back - SECOND, back, back + HOUR, 2 * back):
        now = NOW - back + max(offset, 0)
        try:
            check(state, Lane.OTHER, now)
        except Throttled as throttled:
            until = throttled.until
            assert until is not None
            assert until - now <= HOUR
            check(state, Lane.OTHER, until)


def test_a_clock_a_little_behind_does_not_shorten_a_wait_below_the_longest() -> None:
    """Nodes whose clocks differ by seconds keep the waits that another node set."""
    state = failed(8, Lane.OTHER)
    with pytest.raises(Throttled):
        check(state, Lane.OTHER, NOW - 5 * SECOND)
