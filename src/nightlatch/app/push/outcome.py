"""What follows from a phone's answer: for a sign-in, for a page of the person's own, for a pairing."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from nightlatch.app.answer import answer_event, settle
from nightlatch.app.approving import seen_network
from nightlatch.app.attempt import rejected, status_at
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import offered, usable
from nightlatch.app.devices import revoked_all
from nightlatch.app.events import factor_event
from nightlatch.app.factors.rows import check_mac, with_mac
from nightlatch.app.judging import Judged, accepted
from nightlatch.app.notices.notices import phone_rests
from nightlatch.app.notices.refusals import sign_in_refused
from nightlatch.app.push.caller import Paired
from nightlatch.app.push.enroll import with_state
from nightlatch.app.push.messages import Responded
from nightlatch.app.push.opening import phones_of
from nightlatch.app.push.sealed import open_push_secret, seal_push_secret
from nightlatch.domain.crypto.mac import MacBroken
from nightlatch.domain.errors import Conflict, NotFound, Unreadable
from nightlatch.domain.factors import push
from nightlatch.domain.factors.base import Evidence
from nightlatch.domain.factors.registry import REGISTRY
from nightlatch.domain.records import (
    Authentication,
    AuthenticationStatus,
    Challenge,
    Event,
    Factor,
    FactorState,
    FactorStatus,
    Record,
)
from nightlatch.domain.throttle import Lane, after_failure
from nightlatch.ports.store import Change, Snapshot

DENIED = "denied_on_phone"
NOT_ME = "not_me"


@dataclass(frozen=True, slots=True)
class Heard:
    """A response whose signature and words are right. ``uv``: the phone says that it verified its user; ``peer`` is
    the address that it came from, None where that is not known.
    """

    snapshot: Snapshot
    paired: Paired
    challenge: Challenge
    meant: Responded
    uv: bool
    peer: str | None
    now: int

    @property
    def known(self) -> bool:
        """Whether the request that asked came with a known device."""
        return bool(self.challenge.data.get("known"))

    @property
    def used(self) -> Challenge:
        """The challenge, answered."""
        return replace(self.challenge, status=self.meant)

    @property
    def state(self) -> FactorState:
        """What is counted of wrong numbers."""
        factor = self.paired.factor
        return self.snapshot.states.get(factor.id) or FactorState(factor_id=factor.id, user_id=factor.user_id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a response, and what it changes. ``told_of``: its refusal was mailed to the phone's owner."""

    status: Responded
    change: Change | None = None
    told_of: bool = False


async def heard_change(ports: Ports, heard: Heard) -> Outcome:
    """The change of an answer to a sign-in; none where the sign-in is over or takes none from this phone."""
    a, user = heard.snapshot.authentication, heard.paired.user
    if a is None or status_at(a, heard.now) is not AuthenticationStatus.PENDING:
        return Outcome("expired")
    factors = offered(heard.snapshot, a.allowed_kinds, a.acr_required, a.first_factor) if usable(user) else ()
    if all(factor.id != heard.paired.factor.id for factor in factors):
        return Outcome("blocked")
    if heard.meant in ("denied", "not_me"):
        over = rejected(a, NOT_ME if heard.meant == "not_me" else DENIED)
        return Outcome(heard.meant, await _refused(ports, heard, over))
    judged = judged_answer(heard)
    settled = settle(ports, a, judged, heard.now, remember=bool(heard.challenge.data.get("remember")))
    left: tuple[Record, ...] = ()
    if settled.status is AuthenticationStatus.APPROVED:
        left = seen_network(settled, heard.now)
    event = answer_event(ports, heard.paired.caller, user, settled, judged, heard.now)
    told = await sign_in_refused(ports, user, settled, judged, heard.now)
    puts = (*judged.states, *judged.records, *left, settled, heard.used)
    return Outcome(heard.meant, replace(_change(heard, puts, event), new=told), told_of=bool(told))


async def portal_change(ports: Ports, heard: Heard) -> Outcome:
    """The change of an answer to a page of the person's own, which fetches it itself."""
    if heard.paired.factor.status is not FactorStatus.ACTIVE:
        return Outcome("blocked")
    if heard.meant in ("denied", "not_me"):
        return Outcome(heard.meant, await _refused(ports, heard, None))
    judged = judged_answer(heard)
    puts = (*judged.states, *judged.records, heard.used)
    return Outcome(heard.meant, _change(heard, puts, _page_event(ports, heard)))


def pairing_change(ports: Ports, heard: Heard) -> Outcome:
    """The change of the answer to a pairing: the number was right, or the pairing is over (B2)."""
    factor, state = heard.paired.factor, heard.paired.state
    if factor.status is not FactorStatus.PENDING:
        return Outcome("expired")
    right = heard.meant == "approved"
    state = replace(push.ended(state), pairing="answered" if right else "failed", uv=right and heard.uv)
    secret = replace(open_push_secret(ports, factor), number=None)
    sealed = seal_push_secret(ports, secret, factor_id=factor.id, user_id=factor.user_id)
    answered = with_mac(ports, replace(with_state(factor, state), sealed=sealed))
    event = factor_event(
        ports,
        heard.paired.caller,
        heard.now,
        "push:pairing_answered" if right else "push:pairing_failed",
        heard.paired.user,
        factor,
        outcome="info" if right else "failure",
        reason=None if right else heard.meant,
        personal={"ip": heard.peer},
    )
    return Outcome(heard.meant, _change(heard, (answered, heard.used), event))


def judged_pairing(ports: Ports, caller: Caller, snapshot: Snapshot, factor: Factor, now: int) -> Judged:
    """The judgement of a pairing that its phone has answered. Raises ``Conflict`` for one that it has not.

    Whoever did not begin it finds none: the answer on the phone was given to a number that others showed. Raises
    ``NotFound``.
    """
    state = push.state_of(factor.public)
    if state.begun_by != caller.party:
        raise NotFound("No phone is being paired here under this id.")
    require_answered(state)
    try:
        check_mac(ports, factor)
    except MacBroken:
        raise Unreadable from None
    counted = snapshot.states.get(factor.id) or FactorState(factor_id=factor.id, user_id=factor.user_id)
    return accepted(snapshot, factor, counted, counted.counter, evidence_of(factor, uv=state.uv), now)


def require_answered(state: push.PushState) -> None:
    """Return if the number was typed right on the phone. Raises ``Conflict``."""
    if state.pairing == "failed":
        raise Conflict("The number was not typed right on the phone. Begin a new one.", code="pairing_failed")
    if state.pairing != "answered":
        raise Conflict("The number was not typed on the phone yet.", code="pairing_unfinished")


def judged_answer(heard: Heard) -> Judged:
    """The judgement of an approval: evidence, or a wrong number, which counts as any wrong code does (H1)."""
    factor, state = heard.paired.factor, heard.paired.state
    if heard.meant == "wrong_number":
        failed = after_failure(heard.state, Lane.KNOWN if heard.known else Lane.OTHER, heard.now)
        return Judged(
            factor=factor,
            rejection="wrong_code",
            states=(failed,),
            records=(with_state(factor, push.ended(state)),),
            counted=True,
        )
    evidence = evidence_of(factor, uv=heard.uv)
    judged = accepted(heard.snapshot, factor, heard.state, heard.state.counter, evidence, heard.now)
    return _with(judged, with_state(factor, push.succeeded(state)), *_counted_anew(heard.snapshot, factor))


def evidence_of(factor: Factor, *, uv: bool) -> Evidence:
    """What an approval by this phone proves: possession, and of who else verified their user there, that too.

    Never that it resists phishing: whoever relays the number of a true sign-in is believed (P6).
    """
    evidence = REGISTRY[factor.kind].evidence(factor_id=factor.id, counter=0)
    if not (uv and push.state_of(factor.public).uv):
        return evidence
    return replace(evidence, amr=(*evidence.amr, "user"), user_verified=True)


def _counted_anew(snapshot: Snapshot, approved_on: Factor) -> list[Factor]:
    """The owner's other phones: rings are counted over all of them, so that a success ends the count on all (P5)."""
    others = [(phone, push.state_of(phone.public)) for phone in phones_of(snapshot) if phone.id != approved_on.id]
    return [with_state(phone, anew) for phone, old in others if (anew := push.counted_anew(old)) != old]


def _with(judged: Judged, *phones: Factor) -> Judged:
    """The judgement with the rows of phones beside what else it stores."""
    return Judged(
        factor=judged.factor,
        evidence=judged.evidence,
        states=judged.states,
        records=(*judged.records, *phones),
    )


async def _refused(ports: Ports, heard: Heard, over: Authentication | None) -> Change:
    """The change of a no: the sign-in is over, and push may be locked (P5)."""
    factor, user, now = heard.paired.factor, heard.paired.user, heard.now
    puts: list[Record] = [heard.used]
    if heard.meant == "not_me":
        puts += [
            with_state(phone, push.locked(push.state_of(phone.public), "not_me")) for phone in phones_of(heard.snapshot)
        ]
        devices, events = await revoked_all(ports, heard.paired.caller, user, now, reason=NOT_ME)
        puts += devices
    else:
        puts.append(with_state(factor, push.denied(heard.paired.state, known=heard.known, now=now)))
        events = ()
    if over is not None:
        judged = Judged(factor=factor)
        events = (answer_event(ports, heard.paired.caller, user, over, judged, now), *events)
        puts.append(over)
    else:
        events = (_page_event(ports, heard), *events)
    locks = [record for record in puts if isinstance(record, Factor) and _locks(heard.snapshot, record)]
    if locks:
        events = (*events, _lock_event(ports, heard))
        kept = await ports.catalog.application(heard.challenge.data["application"] or "")
        told = phone_rests(ports, user, kept.application.name if kept else None, now)
        return replace(_change(heard, tuple(puts), *events), new=told)
    return _change(heard, tuple(puts), *events)


def _locks(snapshot: Snapshot, after: Factor) -> bool:
    before = next(factor for factor in snapshot.factors if factor.id == after.id)
    return push.state_of(after.public).locked != push.state_of(before.public).locked


def _lock_event(ports: Ports, heard: Heard) -> Event:
    return factor_event(
        ports,
        heard.paired.caller,
        heard.now,
        "push:locked",
        heard.paired.user,
        heard.paired.factor,
        outcome="failure",
        application_id=heard.challenge.data["application"],
        authentication_id=heard.challenge.authentication_id or None,
        reason=heard.meant,
        personal={"ip": heard.peer},
    )


def _page_event(ports: Ports, heard: Heard) -> Event:
    approved = heard.meant == "approved"
    return factor_event(
        ports,
        heard.paired.caller,
        heard.now,
        "portal:phone_approved" if approved else "portal:answer_refused",
        heard.paired.user,
        heard.paired.factor,
        outcome="success" if approved else "failure",
        application_id=heard.challenge.data["application"],
        reason=None if approved else {"wrong_number": "wrong_code", "denied": DENIED}.get(heard.meant, heard.meant),
        personal={"ip": heard.peer},
    )


def _change(heard: Heard, puts: tuple[Record, ...], *events: Event) -> Change:
    return Change(root=heard.paired.user.id, expected=heard.snapshot.version, puts=puts, events=events)
