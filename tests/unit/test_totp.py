"""Time-based codes are accepted near their time, and once."""

from __future__ import annotations

import contextlib
import doctest
import hmac
from collections.abc import Callable
from typing import Any, cast

import pytest

from nightlatch.domain.factors import totp
from nightlatch.domain.factors.base import CodeRejected, Replayed, WrongCode
from nightlatch.domain.factors.parameters import Algorithm, Digits
from nightlatch.domain.time import SECOND

SECRET = b"12345678901234567890"
NOW = 1_766_000_010 * SECOND
STEP = totp.step_at(NOW)


def code_of(step: int) -> str:
    """The code of a step of 30 seconds."""
    return totp.code_at(SECRET, step * 30 * SECOND)


@pytest.mark.requirement("T5")
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_code_one_step_away_is_accepted(offset: int) -> None:
    """Clocks may differ by a step of 30 seconds; the answer is the step that the code belongs to."""
    assert totp.match(SECRET, code_of(STEP + offset), NOW, last_step=-1) == STEP + offset


@pytest.mark.requirement("T5")
@pytest.mark.parametrize("offset", [-100, -3, -2, 2, 3, 100])
def test_a_code_two_steps_away_is_refused(offset: int) -> None:
    """The window ends after one step on each side."""
    with pytest.raises(WrongCode):
        totp.match(SECRET, code_of(STEP + offset), NOW, last_step=-1)


@pytest.mark.requirement("T5")
def test_the_window_is_measured_in_whole_steps_to_the_microsecond() -> None:
    """The last µs of a step still takes its predecessor's code, the next µs does not."""
    end = (STEP + 1) * 30 * SECOND
    assert totp.match(SECRET, code_of(STEP - 1), end - 1, last_step=-1) == STEP - 1
    with pytest.raises(WrongCode):
        totp.match(SECRET, code_of(STEP - 1), end, last_step=-1)


def test_a_window_of_nothing_takes_the_present_step_alone() -> None:
    """With ``window=0`` the neighbours are refused."""
    assert totp.match(SECRET, code_of(STEP), NOW, last_step=-1, window=0) == STEP
    for offset in (-1, 1):
        with pytest.raises(WrongCode):
            totp.match(SECRET, code_of(STEP + offset), NOW, last_step=-1, window=0)


@pytest.mark.parametrize("window", [-1, 11, 2**31])
def test_a_window_that_would_make_guessing_easy_is_refused(window: int) -> None:
    """More than ten steps a side is an error of the caller, whatever the code."""
    with pytest.raises(ValueError, match="window"):
        totp.match(SECRET, code_of(STEP), NOW, last_step=-1, window=window)


@pytest.mark.requirement("T4")
def test_a_code_is_accepted_once() -> None:
    """With the accepted step stored, the same code is a replay, for as long as it lies in the window."""
    accepted = totp.match(SECRET, code_of(STEP), NOW, last_step=-1)
    for later in (NOW, NOW + 29 * SECOND, NOW + 45 * SECOND):
        with pytest.raises(Replayed):
            totp.match(SECRET, code_of(STEP), later, last_step=accepted)


@pytest.mark.requirement("T4")
def test_a_code_that_was_overtaken_is_a_replay() -> None:
    """Once a step is accepted, the codes before it are dead although they still lie in the window."""
    with pytest.raises(Replayed):
        totp.match(SECRET, code_of(STEP - 1), NOW, last_step=STEP)


@pytest.mark.requirement("T4")
def test_the_next_code_is_accepted_after_the_last() -> None:
    """The step must grow, by one at least."""
    assert totp.match(SECRET, code_of(STEP + 1), NOW, last_step=STEP) == STEP + 1


@pytest.mark.requirement("T4")
def test_two_steps_that_share_a_code_are_used_up_together() -> None:
    """Should neighbours have the same code, accepting it stores the later step, so that it cannot come again."""
    step = 59_061_240  # the first after NOW of which this is true
    code = code_of(step)
    assert code == code_of(step + 1)
    now = step * 30 * SECOND
    accepted = totp.match(SECRET, code, now, last_step=-1)
    assert accepted == step + 1
    with pytest.raises(Replayed):
        totp.match(SECRET, code, now + 30 * SECOND, last_step=accepted)


@pytest.mark.requirement("T4", "T10")
def test_a_clock_set_back_accepts_no_old_code() -> None:
    """While the server's clock is behind the last accepted step, right codes are replays: it fails closed."""
    past = NOW - 3600 * SECOND
    with pytest.raises(Replayed):
        totp.match(SECRET, totp.code_at(SECRET, past), past, last_step=STEP)


@pytest.mark.requirement("T7")
def test_steps_beyond_32_bits_are_counted_in_64() -> None:
    """The step 2^32 + n is another than n, and its code is accepted."""
    far = (2**32 + 1) * 30 * SECOND
    assert totp.step_at(far) == 2**32 + 1
    assert totp.code_at(SECRET, far) != totp.code_at(SECRET, 30 * SECOND)
    assert totp.match(SECRET, totp.code_at(SECRET, far), far, last_step=2**32) == 2**32 + 1
    with pytest.raises(WrongCode):
        totp.match(SECRET, totp.code_at(SECRET, 30 * SECOND), far, last_step=-1)


def test_the_first_step_of_all_has_no_step_before_it() -> None:
    """At the epoch itself the window begins at step 0."""
    assert totp.match(SECRET, code_of(0), 0, last_step=-1) == 0
    assert totp.match(SECRET, code_of(1), 0, last_step=-1) == 1


@pytest.mark.parametrize(
    "write", [lambda c: f"{c[:3]} {c[3:]}", lambda c: f" {c[:3]}-{c[3:]}\n", lambda c: f"{c[:3]}\u00a0{c[3:]}"]
)
def test_spaces_and_hyphens_in_a_code_do_not_matter(write: Callable[[str], str]) -> None:
    """Apps show codes in groups, and people type what they see."""
    assert totp.match(SECRET, write(code_of(STEP)), NOW, last_step=-1) == STEP


def test_digits_of_other_scripts_are_read() -> None:
    """An Arabic or full-width keyboard types the same numbers."""
    for zero in ("\u0660", "\u06f0", "\u0966", "\uff10"):
        typed = "".join(chr(ord(zero) + int(digit)) for digit in code_of(STEP))
        assert totp.match(SECRET, typed, NOW, last_step=-1) == STEP


@pytest.mark.parametrize(
    "code",
    [
        "",
        " ",
        "12345",
        "1234567",
        "abcdef",
        "12345a",
        "+12345",
        "1_2345",
        "1e5",
        "²²²²²²",
        "½½½½½½",
        "1" * 100_000,
        "\0" * 6,
        "\ud800",
    ],
)
def test_what_is_no_code_is_a_wrong_code(code: str) -> None:
    """Every text that has not the form of a code is judged wrong, and breaks nothing."""
    with pytest.raises(WrongCode) as rejected:
        totp.match(SECRET, code, NOW, last_step=-1)
    assert isinstance(rejected.value, CodeRejected)
    assert rejected.value.reason == "wrong_code"


@pytest.mark.requirement("T6")
@pytest.mark.parametrize("period", [121, 180, 3600, 0, -30])
def test_a_period_over_two_minutes_is_refused(period: int) -> None:
    """NIST wants a time-based code to change every two minutes at least; no period at all is none."""
    with pytest.raises(ValueError, match="period"):
        totp.TotpParameters(period=period)


@pytest.mark.requirement("T6")
def test_a_period_of_two_minutes_is_accepted() -> None:
    """120 seconds are the longest."""
    params = totp.TotpParameters(period=120)
    assert totp.match(SECRET, totp.code_at(SECRET, NOW, params), NOW, last_step=-1, params=params) == NOW // (
        120 * SECOND
    )


@pytest.mark.parametrize(("algorithm", "digits"), [("MD5", 6), ("sha1", 6), ("SHA1", 5), ("SHA1", 9), ("SHA1", 10)])
def test_other_algorithms_and_lengths_are_refused(algorithm: str, digits: int) -> None:
    """Bad parameters stop at the door, not at the first code."""
    with pytest.raises(ValueError, match="must be"):
        totp.TotpParameters(cast("Algorithm", algorithm), cast("Digits", digits))


@pytest.mark.requirement("T1")
def test_a_short_secret_makes_no_code() -> None:
    """Even a caller that skipped the check gets no code from a weak secret."""
    with pytest.raises(totp.InvalidSecret):
        totp.code_at(b"short", NOW)


def test_the_rest_of_a_step_is_told_in_microseconds() -> None:
    """From a whole step at its beginning to one µs at its end."""
    assert totp.remaining(STEP * 30 * SECOND) == 30 * SECOND
    assert totp.remaining((STEP + 1) * 30 * SECOND - 1) == 1


def test_every_step_of_the_window_is_computed_and_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is the same wherever the match lies, and when there is none."""
    compared: list[Any] = []
    compare = hmac.compare_digest

    def counting(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return compare(a, b)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    seen = []
    for code in (code_of(STEP - 1), code_of(STEP), code_of(STEP + 1), "000000"):
        compared.clear()
        with contextlib.suppress(WrongCode):
            totp.match(SECRET, code, NOW, last_step=-1)
        seen.append(list(compared))
    assert seen == [[(4, 4)] * 3] * 4


def test_the_example_of_the_documentation_runs() -> None:
    """What the module's docstring shows is true."""
    assert doctest.testmod(totp) == (0, 4)
