"""Ask a phone: a challenge, a number that only the sign-in shows, and a message for each way that the phone is rung."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import active_factors
from nightlatch.app.deliver.messages import queue
from nightlatch.app.events import factor_event
from nightlatch.app.factors.rows import check_mac
from nightlatch.app.notices.notices import phone_rests
from nightlatch.app.push.enroll import with_state
from nightlatch.app.push.sealed import number_key, number_place, open_push_secret, ways_of
from nightlatch.app.push.words import Words
from nightlatch.domain import throttle
from nightlatch.domain.crypto import codes
from nightlatch.domain.crypto.mac import MacBroken
from nightlatch.domain.errors import Conflict, Refusal, Throttled, Unreadable
from nightlatch.domain.factors import push
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import Pending, PushState
from nightlatch.domain.factors.push_protocol import base64url
from nightlatch.domain.ids import CHALLENGE
from nightlatch.domain.records import Challenge, Channel, Event, Factor, FactorState, OutboxMessage, User
from nightlatch.domain.throttle import Lane
from nightlatch.domain.time import SECOND, rfc3339, whole_seconds
from nightlatch.ports.store import Change, Snapshot

MESSAGE_TYPE = "MFA_CHALLENGE"
FACTOR_LOCKED = "This person's phone is asked no more until they prove another factor."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a phone is asked, and on whose behalf.

    ``origin`` is the authentication, or the page, whose request takes the place of its own earlier one.
    ``application`` is None where no application asks; ``ends_at`` is when whatever asks is over itself. ``more`` is
    kept with the challenge.
    """

    purpose: Literal["sign_in", "portal"]
    origin: str
    application: str | None
    application_name: str | None
    action: str
    action_hash: str | None
    known: bool
    ends_at: int
    authentication_id: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def lane(self) -> Lane:
        """Whose tries wait together (H5)."""
        return Lane.KNOWN if self.known else Lane.OTHER


@dataclass(frozen=True, slots=True)
class Opened:
    """A challenge that waits on the phone; ``number`` is shown where the person signs in, and nowhere else."""

    challenge: Challenge
    number: str


def open_push(
    ports: Ports, caller: Caller, snapshot: Snapshot, user: User, factor: Factor, asking: Asking, now: int
) -> tuple[Change, Opened | Refusal]:
    """The change that asks an active phone, or the one that tells why it was not asked (P5).

    Raises ``Unreadable`` where the factor's row was changed.
    """
    try:
        check_mac(ports, factor)
    except MacBroken:
        raise Unreadable from None
    refusal = _refusal(snapshot, factor, asking, now)
    if refusal is not None:
        event = _event(ports, caller, user, factor, asking, now, "push:not_asked", reason=refusal.code)
        return Change(root=user.id, expected=snapshot.version, events=(event,)), refusal
    number = codes.numeric_code(ports.entropy.bytes(codes.ENTROPY_BYTES), push.NUMBER_DIGITS)
    challenge = _challenge(ports, factor, asking, number, now, since=_free_instant(snapshot, asking, now))
    warns = not asking.known and push.is_worth_a_warning(_states(snapshot), now)
    state = push.opened(push.state_of(factor.public), _pending(asking, challenge), now)
    change = Change(
        root=user.id,
        expected=snapshot.version,
        puts=(with_state(factor, replace(state, warned_at=now) if warns else state),),
        new=(
            challenge,
            *_messages(ports, user, factor, challenge, asking, now),
            # Its owner is told with the last push that strangers get: somebody has the password (P5).
            *(phone_rests(ports, user, asking.application_name, now) if warns else ()),
        ),
        events=(_event(ports, caller, user, factor, asking, now, "challenge:opened"),),
    )
    return change, Opened(challenge, number)


def _pending(asking: Asking, challenge: Challenge) -> Pending:
    return Pending(
        challenge=challenge.id,
        origin=asking.origin,
        expires_at=challenge.expires_at,
        known=asking.known,
        application=asking.application or "",
    )


def phones_of(snapshot: Snapshot) -> tuple[Factor, ...]:
    """The active push factors."""
    return tuple(factor for factor in active_factors(snapshot) if factor.kind is FactorKind.PUSH)


def _refusal(snapshot: Snapshot, factor: Factor, asking: Asking, now: int) -> Refusal | None:
    states = _states(snapshot)
    try:
        throttle.check(snapshot.states.get(factor.id) or _fresh(factor), asking.lane, now)
        push.check_room(states, known=asking.known, origin=asking.origin, application=asking.application or "", now=now)
    except push.Locked:
        return Conflict(FACTOR_LOCKED, code="push_locked")
    except push.TooMany as many:
        return Throttled(retry_after=many.retry_after(now))
    except throttle.Throttled as waiting:
        return Throttled(retry_after=waiting.retry_after(now))
    return None


def _states(snapshot: Snapshot) -> list[PushState]:
    return [push.state_of(phone.public) for phone in phones_of(snapshot)]


def _fresh(factor: Factor) -> FactorState:
    return FactorState(factor_id=factor.id, user_id=factor.user_id)


def _free_instant(snapshot: Snapshot, asking: Asking, now: int) -> int:
    """From ``now`` on, the first at which this sign-in asked no phone: its newest push is told by its time."""
    taken = {c.created_at for c in snapshot.challenges if c.authentication_id == asking.authentication_id}
    return next(at for at in itertools.count(now) if at not in taken)


def _challenge(ports: Ports, factor: Factor, asking: Asking, number: str, now: int, *, since: int) -> Challenge:
    id_ = ports.new_id(CHALLENGE, now)
    return Challenge(
        id=id_,
        user_id=factor.user_id,
        authentication_id=asking.authentication_id,
        factor_id=factor.id,
        kind=FactorKind.PUSH,
        mac=codes.code_mac(number_key(ports), number, purpose="push", context=(id_, factor.id)),
        data={
            "purpose": asking.purpose,
            "nonce": base64url(ports.entropy.bytes(push.NONCE_BYTES)),
            "action": asking.action,
            "application": asking.application,
            "action_hash": asking.action_hash,
            "known": asking.known,
            **asking.more,
        },
        sealed=ports.sealer.seal(number.encode(), number_place(id_, factor.user_id)),
        created_at=since,
        expires_at=min(now + push.CHALLENGE_LIFE, asking.ends_at),
    )


def _messages(
    ports: Ports, user: User, factor: Factor, challenge: Challenge, asking: Asking, now: int
) -> list[OutboxMessage]:
    """One a way. None holds the number, and none what is asked for in detail (P2)."""
    words = Words(asking.application_name or ports.site.organization, asking.action)
    life, nonce = challenge.expires_at - now, challenge.data["nonce"]
    payload = {
        "factor": factor.id,
        "title": words.title,
        "body": words.body,
        "navigate": f"{ports.site.public_url}/authenticator?challenge={nonce}",
        "data": {
            "type": MESSAGE_TYPE,
            "challenge": nonce,
            "appName": words.application,
            "timestamp": rfc3339(now // SECOND * SECOND),
        },
        "ttl": whole_seconds(life),
    }
    return [
        queue(
            ports,
            now,
            Channel.PUSH,
            user=user,
            payload={**payload, "transport": transport, "subscription": way},
            ttl=life,
            about=challenge.id,
            authentication_id=asking.authentication_id or None,
            route={"transport": transport, "application": asking.application},
        )
        for transport, way in ways_of(open_push_secret(ports, factor).subscriptions).items()
    ]


def _event(
    ports: Ports,
    caller: Caller,
    user: User,
    factor: Factor,
    asking: Asking,
    now: int,
    type_: str,
    *,
    reason: str | None = None,
) -> Event:
    return factor_event(
        ports,
        caller,
        now,
        type_,
        user,
        factor,
        outcome="failure" if reason else "info",
        application_id=asking.application,
        authentication_id=asking.authentication_id or None,
        reason=reason,
        data={"action": asking.action, "known": asking.known},
        personal={},
    )
