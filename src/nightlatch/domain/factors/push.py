"""Push: approval on the person's own phone, with a number that only the sign-in shows.

Whoever has the password can make a phone ring, so what rings is bounded here: one challenge at a time, three in ten
minutes, and a lock once its owner says no. None of it stops the owner at a device that is known (P5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from nightlatch.domain.factors.backup_codes import ALPHABET
from nightlatch.domain.time import HOUR, MINUTE, SECOND, whole_seconds

NONCE_BYTES: Final = 32
CHALLENGE_LIFE: Final = 120 * SECOND
NUMBER_DIGITS: Final = 6

CODE_SYMBOLS: Final = 24
"""Of 5 bits each: 120, where B2 asks for 112."""

CODE_ENTROPY_BYTES: Final = 15

MOST: Final = 3
WITHIN: Final = 10 * MINUTE
"""So many pushes, and no more, in this time since the last success; strangers and known devices apart."""

WARNED_FOR: Final = 1 * HOUR
"""How long a mail about strangers who ring is the only one."""

TRANSPORTS: Final = ("web", "fcm", "apns", "ntfy")

Pairing = Literal["waiting", "scanned", "answered", "failed"]
Lock = Literal["denied", "not_me"]

_SHAPE = re.compile(f"[{ALPHABET}]{{{CODE_SYMBOLS}}}")
_SEPARATORS = re.compile(r"[\s\-]+")
_LOOK_ALIKES = str.maketrans("OILU", "011V")
_LONGEST_TYPED = 64
_NUMBER = re.compile(r"[0-9]{6}")


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """The challenge that a phone may answer now. ``origin``: the sign-in, page or pairing that it belongs to;
    ``application``: whose sign-in it is.
    """

    challenge: str
    origin: str
    expires_at: int
    known: bool
    application: str = ""


class PushState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The public part of a push factor. ``uv``: the phone verified its user when it was paired. ``begun_by`` alone may
    finish the pairing: it takes no code, so that nothing else tells who showed the number.

    ``others`` and ``known`` are the instants of recent pushes, by whether the request came with a known device; those
    that did by application, since each gives device tokens of its own. ``warned_at``: when the owner was last mailed
    that strangers ring.
    ``pending`` alone says which challenge is good: one that was put in its place before is dead.
    """

    approved: bool = False
    begun_by: str | None = None
    jwk: dict[str, str] | None = None
    name: str | None = None
    hint: str | None = None
    uv: bool = False
    mac: str | None = None
    pairing: Pairing = "waiting"
    transports: tuple[str, ...] = ()
    others: tuple[int, ...] = ()
    known: dict[str, tuple[int, ...]] = {}
    pending: Pending | None = None
    denied_at: int | None = None
    locked: Lock | None = None
    warned_at: int | None = None

    def public(self) -> dict[str, Any]:
        """As it is kept."""
        kept: dict[str, Any] = msgspec.to_builtins(self)
        return kept


class Locked(Exception):
    """Push rests until its owner proves another factor."""


class TooMany(Exception):
    """No push now. ``until`` is the instant (µs) at which one may be sent."""

    def __init__(self, until: int) -> None:
        super().__init__("too many pushes")
        self.until = until

    def retry_after(self, now: int) -> int:
        """Whole seconds to wait, rounded up."""
        return max(1, whole_seconds(self.until - now))


def state_of(public: dict[str, Any]) -> PushState:
    """The public part of a factor, read."""
    return msgspec.convert(public, PushState)


def pairing_code(entropy: bytes) -> str:
    """A pairing code of 120 bits from 15 random bytes."""
    if len(entropy) != CODE_ENTROPY_BYTES:
        raise ValueError(f"a pairing code needs {CODE_ENTROPY_BYTES} random bytes")
    bits = int.from_bytes(entropy, "big")
    return "".join(ALPHABET[bits >> 5 * place & 31] for place in range(CODE_SYMBOLS))


def normal_code(text: str) -> str | None:
    """A typed pairing code in its one spelling; None for what can be none."""
    if len(text) > _LONGEST_TYPED or not text.isascii():
        return None
    symbols = _SEPARATORS.sub("", text).upper().translate(_LOOK_ALIKES)
    return symbols if _SHAPE.fullmatch(symbols) else None


def is_number(text: object) -> bool:
    """Whether this has the form of a number to compare: six ASCII digits."""
    return isinstance(text, str) and _NUMBER.fullmatch(text) is not None


def check_room(states: Iterable[PushState], *, known: bool, origin: str, application: str, now: int) -> None:
    """Return if a challenge may be opened now. Raises ``Locked`` or ``TooMany``.

    ``states`` are of all phones of one person: who has two is not rung twice as often. A stranger waits for the
    challenge that is open. The owner at a known device waits for no stranger, and their request takes the place of a
    stranger's, and of one of the same application: known is a device to whoever gave it its token, so that it must not
    end what another application asks, nor use up what is left to it. That strangers were denied locks out strangers;
    ``not_me`` locks everybody out.
    """
    phones = list(states)
    if any(phone.locked == "not_me" or (phone.locked is not None and not known) for phone in phones):
        raise Locked
    for open_ in (
        phone.pending for phone in phones if phone.pending is not None and _waits(phone.pending, origin, now)
    ):
        if not known or (open_.known and open_.application != application):
            raise TooMany(open_.expires_at)
    rung = (at for phone in phones for at in (phone.known.get(application, ()) if known else phone.others))
    recent = sorted(_recent(rung, now))
    if len(recent) >= MOST:
        raise TooMany(recent[-MOST] + WITHIN)


def is_worth_a_warning(states: Iterable[PushState], now: int) -> bool:
    """Whether the push that a stranger is about to send is the last one for a while, and no mail told so lately.

    Whoever knows the password could otherwise fill a mailbox.
    """
    phones = list(states)
    if sum(len(_recent(phone.others, now)) for phone in phones) != MOST - 1:
        return False
    return all(phone.warned_at is None or abs(now - phone.warned_at) >= WARNED_FOR for phone in phones)


def opened(state: PushState, pending: Pending, now: int) -> PushState:
    """The state after a challenge was opened; the one before it is dead."""
    if not pending.known:
        return replace(state, pending=pending, others=(*_recent(state.others, now), now))
    kept = {application: recent for application, at in state.known.items() if (recent := _recent(at, now))}
    kept[pending.application] = (*kept.get(pending.application, ()), now)
    return replace(state, pending=pending, known=kept)


def is_open(state: PushState, challenge: str, now: int) -> bool:
    """Whether this challenge is the one that may be answered now."""
    pending = state.pending
    return pending is not None and pending.challenge == challenge and now < pending.expires_at


def succeeded(state: PushState) -> PushState:
    """The state after its owner approved on this phone: pushes are counted anew."""
    return counted_anew(replace(state, pending=None))


def counted_anew(state: PushState) -> PushState:
    """The state after the owner approved, be it on another phone of theirs: what rang until then is bounded no more."""
    return replace(state, others=(), known={}, denied_at=None)


def ended(state: PushState) -> PushState:
    """The state after a wrong number, or a challenge that was answered otherwise."""
    return replace(state, pending=None)


def denied(state: PushState, *, known: bool, now: int) -> PushState:
    """The state after its owner said no. The second time in ten minutes push is locked, unless a known device asked:
    that is somebody who changed their mind.
    """
    if known:
        return replace(state, pending=None)
    again = state.denied_at is not None and _is_recent(state.denied_at, now)
    return replace(state, pending=None, denied_at=now, locked="denied" if again else state.locked)


def locked(state: PushState, reason: Lock) -> PushState:
    """The state after push was locked; nothing that is open can be answered."""
    return replace(state, pending=None, locked=state.locked or reason)


def unlocked(state: PushState) -> PushState:
    """The state after its owner proved another factor."""
    return replace(counted_anew(state), locked=None)


def _waits(pending: Pending, origin: str, now: int) -> bool:
    """Whether a challenge of somebody else is open; one from the future was opened before the clock was set back."""
    return pending.origin != origin and now < pending.expires_at <= now + CHALLENGE_LIFE


def _recent(instants: Iterable[int], now: int) -> tuple[int, ...]:
    return tuple(at for at in instants if _is_recent(at, now))


def _is_recent(at: int, now: int) -> bool:
    # One from the future was sent before the clock was set back: it counts for its ten minutes, and no longer.
    return abs(now - at) < WITHIN
