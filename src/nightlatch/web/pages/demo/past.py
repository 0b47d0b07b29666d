"""The seeded past as a picture: how each day's sign-ins were decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nightlatch.app.context import Ports
from nightlatch.domain.time import DAY
from nightlatch.web.pages.demo.people import EVERYBODY
from nightlatch.web.pages.demo.seed import DAYS

SIGN_INS = 200
_ORDER = ("allow", "challenge", "enroll", "deny")
_WORDS = {
    "allow": "let in at once",
    "challenge": "asked for a code",
    "enroll": "asked to set up a lock",
    "deny": "refused",
}

# Of the drawing, in its own units.
STEP = 8
WIDTH = 6
HEIGHT = 48


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of one day's column."""

    x: int
    y: int
    height: int
    decision: str


@dataclass(frozen=True, slots=True)
class History:
    """The columns, and the whole in words."""

    bars: list[Bar]
    total: int
    parts: list[tuple[str, int, str]]
    width: int = DAYS * STEP
    height: int = HEIGHT


async def history(ports: Ports) -> History:
    """Thirty days up to now, today in the last column."""
    today = ports.clock.now() // DAY
    days: dict[int, Counter[str]] = {}
    for person in EVERYBODY:
        user = await ports.directory.user(person.username)
        if user is None:
            continue
        for attempt in await ports.directory.sign_ins(user.id, limit=SIGN_INS):
            column = DAYS - 1 - (today - attempt.created_at // DAY)
            if 0 <= column < DAYS:
                days.setdefault(column, Counter())[attempt.decision] += 1
    unit = HEIGHT / max((counts.total() for counts in days.values()), default=1)
    whole = sum(days.values(), Counter[str]())
    return History(
        bars=[bar for column, counts in days.items() for bar in _column(column, counts, unit)],
        total=whole.total(),
        parts=[(decision, whole[decision], _WORDS[decision]) for decision in _ORDER if whole[decision]],
    )


def _column(column: int, counts: Counter[str], unit: float) -> list[Bar]:
    bars = []
    y = HEIGHT
    for decision in _ORDER:
        if counts[decision]:
            height = round(counts[decision] * unit)
            y -= height
            bars.append(Bar(column * STEP, y, max(1, height - 1), decision))
    return bars
