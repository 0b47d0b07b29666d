"""Whatever a push service says, it becomes a reason of ours not to have sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlatch.adapters.delivery import push_apns, push_fcm, push_web
from nightlatch.adapters.delivery.http import HttpAnswer
from nightlatch.adapters.delivery.push_web import STATEMENTS, WebPush
from nightlatch.adapters.system import SystemClock, SystemEntropy
from nightlatch.domain.webpush import vapid_key
from nightlatch.ports.delivery import NotSent

REFUSALS: dict[str, Callable[[HttpAnswer], NotSent]] = {
    "fcm": push_fcm._refusal,
    "apns": push_apns._refusal,
    "web": push_web._refusal,
}
NAMES = st.sampled_from(["error", "details", "errorCode", "reason", "name", "id", "code"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.binary(max_size=64) | VALUES.map(msgspec.json.encode)
SAID: list[Any] = [
    {"error": {"details": 5}},
    {"error": {"details": "x"}},
    {"error": {"details": [None, {"errorCode": ["UNREGISTERED"]}]}},
    {"error": "no"},
    {"reason": ["Unregistered"]},
    {"reason": {}},
]


@pytest.mark.parametrize("service", REFUSALS)
@given(status=st.integers(100, 599), body=BODIES)
def test_a_refusal_is_a_word(service: str, status: int, body: bytes) -> None:
    """Of ours, for the log: nothing of the body is in it but words that we know."""
    failure = REFUSALS[service](HttpAnswer(status=status, body=body))
    assert failure.reason.isascii()
    assert len(failure.reason) < 40


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("service", REFUSALS)
def test_what_looks_like_a_refusal_is_not_read_further_than_it_is_one(service: str, said: Any) -> None:
    """Types that are not those of the documentation."""
    failure = REFUSALS[service](HttpAnswer(status=400, body=msgspec.json.encode(said)))
    assert not failure.gone


def test_hosts_without_end_are_not_remembered() -> None:
    """Phones may name any under a star; the one in use keeps its statement."""
    sender = WebPush(
        vapid_key(lambda _purpose, _text: bytes(31) + b"\x07"), SystemClock(), SystemEntropy(), contact="mailto:a@b.c"
    )
    ours = "https://web.push.apple.com/x"
    statement = sender._statement(ours)
    for number in range(3 * STATEMENTS):
        sender._statement(f"https://n{number}.notify.windows.com/w/")
        if number % 20 == 0:
            assert sender._statement(ours) == statement
    assert len(sender._statements) == STATEMENTS
