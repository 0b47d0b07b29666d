"""Waiting: woken by a hint, and looking by oneself now and then."""

from __future__ import annotations

from collections import Counter

from nightlatch.app.waiting import REREAD, TURNS, until_turn
from nightlatch.domain.ids import AUTHENTICATION, new_id
from nightlatch.domain.time import SECOND

NOW = 1_766_000_000 * SECOND
TURN = REREAD // TURNS


def keys(count: int) -> list[str]:
    """Of sign-ins that began at one moment."""
    return [f"authentication:{new_id(AUTHENTICATION, NOW, number.to_bytes(10, 'big'))}" for number in range(count)]


def test_nobody_trusts_for_longer_than_the_bound() -> None:
    """And nobody looks again and again, at whatever moment they came."""
    for now in range(NOW, NOW + 2 * REREAD, REREAD // 97):
        assert all(TURN <= until_turn(key, now) <= REREAD for key in keys(200))


def test_who_looked_in_their_turn_looks_again_a_round_later() -> None:
    """Whatever the turn is."""
    for key in keys(200):
        turn = NOW + until_turn(key, NOW)
        if until_turn(key, NOW) > TURN:
            assert until_turn(key, turn) == REREAD


def test_a_crowd_of_one_moment_is_spread_over_the_turns() -> None:
    """A thousand do not look at once."""
    turns = Counter(NOW + until_turn(key, NOW) for key in keys(1_000))
    assert len(turns) >= TURNS - 1
    assert max(turns.values()) <= 3 * 1_000 / TURNS
