"""What bounds the ringing of a phone, and what a pairing code looks like."""

from __future__ import annotations

import pytest

from nightlatch.domain.factors import push
from nightlatch.domain.factors.push import Locked, Pending, PushState, TooMany
from nightlatch.domain.time import MINUTE, SECOND

NOW = 1_766_000_000 * SECOND


def pending(origin: str = "atn_1", *, known: bool = False, at: int = NOW, application: str = "app_1") -> Pending:
    """A challenge that was opened at an instant."""
    return Pending(
        challenge=f"chl_{origin}",
        origin=origin,
        expires_at=at + push.CHALLENGE_LIFE,
        known=known,
        application=application,
    )


def rung(*instants: int, known: bool = False, application: str = "app_1") -> PushState:
    """A phone that was rung at these instants and not answered."""
    state = PushState()
    for at in instants:
        state = push.opened(state, pending(known=known, at=at, application=application), at)
    return state


def may(
    *states: PushState, known: bool = False, origin: str = "atn_2", now: int = NOW, application: str = "app_1"
) -> int | None:
    """None if a phone may be rung now, else how long (µs) to wait."""
    try:
        push.check_room(states, known=known, origin=origin, application=application, now=now)
    except TooMany as many:
        return many.until - now
    return None


@pytest.mark.requirement("P5")
def test_one_waits_and_others_wait_for_its_end() -> None:
    """Unless it is the same sign-in that asks again, or the owner at a known device."""
    state = rung(NOW)
    assert may(state) == 120 * SECOND
    assert may(state, now=NOW + 120 * SECOND - 1) == 1
    assert may(state, now=NOW + 120 * SECOND) is None
    assert may(state, origin="atn_1") is None
    assert may(state, known=True) is None
    assert may(PushState(), state) == 120 * SECOND, "the other phone of the same person"


@pytest.mark.requirement("P5")
def test_three_in_ten_minutes_and_the_lanes_are_apart() -> None:
    """The fourth comes when the first is ten minutes old."""
    instants = (NOW, NOW + 2 * MINUTE, NOW + 4 * MINUTE)
    later = NOW + 6 * MINUTE
    assert may(rung(*instants[:2]), now=later) is None
    assert may(rung(*instants), now=later) == 4 * MINUTE
    assert may(rung(*instants), now=NOW + 10 * MINUTE) is None
    assert may(rung(*instants), known=True, now=later) is None
    assert may(rung(*instants, known=True), known=True, now=later) == 4 * MINUTE
    assert may(rung(*instants, known=True), now=later) is None
    assert may(rung(instants[0]), rung(*instants[1:]), now=later) == 4 * MINUTE, "over all phones"
    assert may(push.succeeded(rung(*instants)), now=later) is None


def test_a_success_on_another_phone_leaves_what_waits() -> None:
    """It ends the count, and nothing else."""
    state = push.locked(push.denied(rung(NOW), known=False, now=NOW), "denied")
    state = push.opened(state, pending(at=NOW + 1), NOW + 1)
    anew = push.counted_anew(state)
    assert (anew.others, anew.denied_at, anew.locked, anew.pending) == ((), None, "denied", state.pending)


@pytest.mark.requirement("P5")
def test_the_last_ring_is_worth_a_warning_once_an_hour() -> None:
    """Over all phones."""
    later = NOW + 6 * MINUTE
    instants = (NOW, NOW + 2 * MINUTE, NOW + 4 * MINUTE)
    warns = [push.is_worth_a_warning([rung(*instants[:n])], later) for n in range(4)]
    assert warns == [False, False, True, False]
    for ago, told in ((60 * MINUTE - 1, False), (60 * MINUTE, True)):
        warned = PushState(warned_at=later - ago)
        assert push.is_worth_a_warning([rung(*instants[:2]), warned], later) is told


@pytest.mark.requirement("P5")
def test_a_device_that_one_application_knows_is_nobody_s_at_another() -> None:
    """It waits there as a stranger does, and what it rang is not counted there."""
    theirs = rung(NOW, NOW + 2 * MINUTE, NOW + 4 * MINUTE, known=True, application="app_2")
    assert may(rung(NOW, known=True, application="app_2"), known=True) == 120 * SECOND
    assert may(rung(NOW, application="app_2"), known=True) is None, "a stranger's, wherever they ask"
    assert may(theirs, known=True, now=NOW + 6 * MINUTE) is None
    assert may(theirs, known=True, now=NOW + 6 * MINUTE, application="app_2") == 4 * MINUTE
    later = NOW + 10 * MINUTE
    assert push.opened(theirs, pending(known=True, at=later), later).known == {
        "app_1": (later,),
        "app_2": (NOW + 2 * MINUTE, NOW + 4 * MINUTE),
    }


def test_a_clock_that_was_set_back_stops_nobody_for_long() -> None:
    """What was opened in the future waits for no more than its own life."""
    assert may(rung(NOW + 60 * MINUTE)) is None


@pytest.mark.requirement("P5")
def test_the_second_no_in_ten_minutes_locks_strangers_out() -> None:
    """And the owner at a known device goes on."""
    once = push.denied(rung(NOW), known=False, now=NOW)
    assert once.locked is None
    twice = push.denied(once, known=False, now=NOW + 10 * MINUTE - 1)
    assert twice.locked == "denied"
    assert push.denied(once, known=False, now=NOW + 10 * MINUTE).locked is None
    assert push.denied(once, known=True, now=NOW + 1).locked is None
    with pytest.raises(Locked):
        may(PushState(), twice, now=NOW + 60 * MINUTE)
    assert may(twice, known=True, now=NOW + 60 * MINUTE) is None


@pytest.mark.requirement("P5")
def test_not_me_locks_everybody_out_until_it_is_unlocked() -> None:
    """A known device may be the thief's."""
    state = push.locked(rung(NOW), "not_me")
    assert state.pending is None
    for known in (False, True):
        with pytest.raises(Locked):
            may(state, known=known, now=NOW + 24 * 60 * MINUTE)
        assert may(push.unlocked(state), known=known) is None


@pytest.mark.requirement("P2")
def test_only_the_newest_challenge_is_open_and_not_for_long() -> None:
    """One that was put in its place is dead."""
    state = push.opened(rung(NOW), pending("atn_2"), NOW)
    assert not push.is_open(state, "chl_atn_1", NOW)
    assert push.is_open(state, "chl_atn_2", NOW + 120 * SECOND - 1)
    assert not push.is_open(state, "chl_atn_2", NOW + 120 * SECOND)
    assert not push.is_open(push.ended(state), "chl_atn_2", NOW)


def test_a_state_comes_back_as_it_was_kept() -> None:
    """What is not said is as it is by default."""
    state = push.locked(push.denied(rung(NOW), known=False, now=NOW), "denied")
    assert push.state_of(state.public()) == state
    assert PushState().public() == {}


@pytest.mark.requirement("B2")
def test_a_pairing_code_has_120_bits() -> None:
    """Each of them counts."""
    assert push.CODE_SYMBOLS * 5 == push.CODE_ENTROPY_BYTES * 8 == 120
    codes = {push.pairing_code((1 << bit).to_bytes(15, "big")) for bit in range(120)}
    assert len(codes | {push.pairing_code(bytes(15))}) == 121
    with pytest.raises(ValueError, match="15 random bytes"):
        push.pairing_code(bytes(14))


def test_a_pairing_code_is_read_as_it_is_typed() -> None:
    """In any case and grouping; letters that look like digits are those."""
    code = push.pairing_code(bytes(range(15)))
    typed = "-".join(code[at : at + 4] for at in range(0, 24, 4)).lower().replace("0", "o").replace("1", "l")
    assert push.normal_code(typed) == code
    for text in ("", code[:-1], code + "0", "é" * 24, "!" * 24, "0" * 10_000):
        assert push.normal_code(text) is None


@pytest.mark.parametrize(
    ("text", "is_one"), [("000000", True), ("12345", False), ("1234567", False), ("١٢٣٤٥٦", False), (7, False)]
)
def test_a_number_is_six_ascii_digits(text: object, is_one: bool) -> None:
    """As text."""
    assert push.is_number(text) is is_one
