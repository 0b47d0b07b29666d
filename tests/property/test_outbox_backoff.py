"""When a message is tried again, for any number of attempts and any dice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nightlatch.app.deliver.backoff import SCHEDULES, Schedule, wait_after
from nightlatch.domain.records import Channel
from nightlatch.domain.time import HOUR, MINUTE, SECOND

SCHEDULE = st.builds(
    lambda first, factor, attempts: Schedule(first=first, longest=first * factor, attempts=attempts),
    st.integers(SECOND // 10, MINUTE),
    st.integers(1, 1000),
    st.integers(1, 100),
)


class Dice:
    """Entropy that falls as the test says."""

    def __init__(self, fall: bytes) -> None:
        self.fall = fall

    def bytes(self, count: int) -> bytes:
        """So many."""
        return self.fall[:count]


LOWEST, HIGHEST = Dice(bytes(16)), Dice(b"\xff" * 16)


@given(SCHEDULE, st.integers(0, 10_000), st.binary(min_size=16, max_size=16))
def test_a_wait_lies_between_half_and_all_of_the_doubled_one(schedule: Schedule, attempts: int, fall: bytes) -> None:
    """And never beyond the longest, however long it goes on."""
    full = min(schedule.first << min(max(attempts - 1, 0), 40), schedule.longest)
    wait = wait_after(schedule, attempts, Dice(fall))
    assert full // 2 - 1 <= wait <= full + 1
    assert 0 < wait <= schedule.longest + 1


@given(SCHEDULE, st.integers(1, 200))
def test_waits_grow(schedule: Schedule, attempts: int) -> None:
    """With the same dice, the next wait is no shorter."""
    for dice in (LOWEST, HIGHEST):
        assert wait_after(schedule, attempts, dice) <= wait_after(schedule, attempts + 1, dice)


def test_a_text_is_tried_as_long_as_its_code_lives_and_a_mail_for_a_day() -> None:
    """The number of attempts does not end them earlier, even when the dice fall lowest."""
    for channel, lasts in ((Channel.SMS, 10 * MINUTE), (Channel.MAIL, 12 * HOUR), (Channel.PUSH, 1 * MINUTE)):
        schedule = SCHEDULES[channel]
        assert sum(wait_after(schedule, attempt, LOWEST) for attempt in range(1, schedule.attempts)) >= lasts


def test_a_person_at_a_sign_in_page_waits_for_the_second_try_two_seconds_at_most() -> None:
    """Texts and pushes come back soon."""
    for channel in (Channel.SMS, Channel.PUSH):
        assert wait_after(SCHEDULES[channel], 1, HIGHEST) <= 2 * SECOND
