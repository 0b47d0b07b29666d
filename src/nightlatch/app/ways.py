"""Ways to sign in, as their owner meets them on our pages."""

from __future__ import annotations

from dataclasses import dataclass

from nightlatch.app.context import Ports
from nightlatch.app.factors.answers import codes_left
from nightlatch.app.factors.enroll import Wanted, enrollment_of
from nightlatch.app.factors.secrets import open_secret
from nightlatch.app.judging import parameters_of
from nightlatch.app.messages import Enrollment
from nightlatch.app.push.enroll import pairing_view
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Factor, FactorState, User
from nightlatch.domain.throttle import Lane, Throttled, check


@dataclass(frozen=True, slots=True)
class Way:
    """A way to sign in. ``hint`` is all that is shown of a number. ``paused_until`` is an instant (µs); ``stopped``:
    waiting does not help.
    """

    id: str
    kind: FactorKind
    label: str | None
    digits: int
    codes_left: int | None = None
    paused_until: int | None = None
    stopped: bool = False
    hint: str | None = None


def way_of(factor: Factor, state: FactorState | None, lane: Lane, now: int) -> Way:
    """A factor as its owner meets it, with the pause that holds for this lane."""
    until, stopped = None, False
    if state is not None:
        try:
            check(state, lane, now)
        except Throttled as waiting:
            until, stopped = waiting.until, waiting.stopped
    return Way(
        id=factor.id,
        kind=factor.kind,
        label=factor.label,
        digits=int(factor.public.get("digits", 6)),
        codes_left=codes_left(factor, state),
        paused_until=until,
        stopped=stopped,
        hint=factor.public.get("hint"),
    )


def begun_enrollment(ports: Ports, user: User, factor: Factor) -> Enrollment | None:
    """What its owner must see of a factor that is not turned on yet; None of a phone that took its code."""
    if factor.kind is FactorKind.PUSH:
        return pairing_view(ports, factor).enrollment
    wanted = Wanted(factor.kind, factor.label, parameters_of(factor), None)
    return enrollment_of(ports, user, wanted, open_secret(ports, factor))
