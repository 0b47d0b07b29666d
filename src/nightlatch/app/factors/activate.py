"""Activate a factor: its owner proves that they have it. From then on it counts."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import active_factors
from nightlatch.app.events import factor_event
from nightlatch.app.factors.answers import factor_fields
from nightlatch.app.factors.backup_codes import codes_event, fresh_codes
from nightlatch.app.factors.find import owned
from nightlatch.app.factors.rows import with_mac
from nightlatch.app.factors.rules import (
    alive,
    backup_code_count,
    dead_pending,
    require_alternative,
    require_kind,
    require_no_confirmation,
    require_person,
)
from nightlatch.app.factors.sms import turned_on
from nightlatch.app.judging import Judged, judge
from nightlatch.app.kernel import Decided
from nightlatch.app.messages import ActivatedFactor, Activation, Rejection
from nightlatch.app.notices.notices import way_added
from nightlatch.app.push.outcome import judged_pairing
from nightlatch.app.settling import settle
from nightlatch.app.step_up import refused
from nightlatch.app.users.reference import active, user_key
from nightlatch.domain.errors import Conflict, Invalid, Refusal, StepUpRequired, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Factor, FactorStatus, Record, User
from nightlatch.domain.throttle import Lane
from nightlatch.ports.store import Change, Snapshot

_WRONG = {
    "wrong_code": "The code is not right. Type the one that the app shows now, and check its clock.",
    "replayed": "This code was used. Wait for the next one.",
    "expired": "The code is too old. Let a new one be sent.",
    "no_such_factor": "This factor cannot be used. Begin a new one.",
}


async def activate_factor(
    ports: Ports, caller: Caller, ref: str, factor_id: str, activation: Activation
) -> ActivatedFactor:
    """Prove a pending factor by a code of it, or by what was answered on the phone that is being paired.

    The answer to a person's first activation carries backup codes, this once. A phone is turned on by who began to pair
    it, and by nobody else. Raises ``NotFound``, ``Conflict`` for
    one that is active, whose 10 minutes are over, or whose phone did not answer, ``Invalid`` for a wrong code,
    ``Throttled``, ``StepUpRequired``.
    """

    async def decide(snapshot: Snapshot) -> Decided[ActivatedFactor | Refusal]:
        return await complete_factor(ports, caller, snapshot, factor_id, activation.code, ports.clock.now())

    return await settle(ports.store, user_key(ref), decide)


async def complete_factor(
    ports: Ports, caller: Caller, snapshot: Snapshot, factor_id: str, code: str | None, now: int
) -> tuple[Change, ActivatedFactor | Refusal]:
    """The change that activates a pending factor, or counts a wrong code; with it the answer or the refusal.

    ``code`` is None where the person answered on the phone that is being paired.

    The approval was asked for when the factor was begun. One that was begun as the first, without approval, must not
    become the second: whoever began it may be somebody else than the owner of the factor that is active by now.
    """
    user = active(snapshot)
    require_person(user)
    factor = owned(snapshot, factor_id)
    if factor.status is FactorStatus.ACTIVE:
        raise Conflict("This factor is active already.", code="already_active")
    if not alive(factor, now):
        raise Conflict("The time to activate this factor is over. Begin a new one.", code="enrollment_expired")
    policy = await ports.policies.current()
    require_kind(policy, factor.kind)
    require_alternative(policy, snapshot, factor.kind)
    if not factor.public.get("approved"):
        if active_factors(snapshot):
            return refused(ports, caller, user, snapshot, now, "factor:activated"), StepUpRequired()
        require_no_confirmation(policy)
    judged = await _judged(ports, caller, snapshot, factor, code, now)
    if judged.evidence is None:
        return _failed(ports, caller, user, snapshot, factor, judged, now)
    return await _activated(ports, caller, user, snapshot, factor, judged, now)


async def _judged(
    ports: Ports, caller: Caller, snapshot: Snapshot, factor: Factor, code: str | None, now: int
) -> Judged:
    if factor.kind is FactorKind.PUSH:
        return judged_pairing(ports, caller, snapshot, factor, now)
    if code is None:
        raise Invalid.field("/code", "required", "Send the code that the person typed.")
    return await judge(ports, snapshot, (factor,), code, factor_id=factor.id, lane=Lane.OTHER, now=now)


def rejection_of(refusal: Invalid) -> Rejection:
    """Why a code turned nothing on, as pages tell it."""
    code = refusal.fields[0].code if refusal.fields else ""
    return "replayed" if code == "replayed" else "expired" if code == "expired" else "wrong_code"


def _failed(
    ports: Ports, caller: Caller, user: User, snapshot: Snapshot, factor: Factor, judged: Judged, now: int
) -> tuple[Change, Refusal]:
    reason = judged.rejection or "wrong_code"
    event = factor_event(ports, caller, now, "factor:activation_failed", user, factor, reason=judged.reason or reason)
    change = Change(root=user.id, expected=snapshot.version, puts=judged.states, events=(event,))
    if reason == "throttled":
        return change, Throttled(retry_after=judged.retry_after)
    return change, Invalid.field("/code", reason, _WRONG.get(reason, _WRONG["wrong_code"]))


async def _activated(
    ports: Ports, caller: Caller, user: User, snapshot: Snapshot, factor: Factor, judged: Judged, now: int
) -> tuple[Change, ActivatedFactor]:
    # Of the judged states only the factor's own: proving a new factor frees none that guessing has stopped.
    state = judged.states[0]
    proved = replace(factor, status=FactorStatus.ACTIVE, activated_at=now, expires_at=None)
    told: tuple[Record, ...] = judged.records
    new: tuple[Record, ...] = ()
    if factor.kind is FactorKind.SMS:
        proved, owner = turned_on(ports, user, proved, now)
        told = (*told, owner) if owner != user else told
    proved = with_mac(ports, proved)
    events = [factor_event(ports, caller, now, "factor:activated", user, proved)]
    codes = None
    count = backup_code_count(await ports.policies.current())
    first = not active_factors(snapshot)
    if count and first:
        codes, paper, paper_state = await fresh_codes(ports, user, snapshot.version, count, now)
        new = (paper, paper_state)
        events.append(codes_event(ports, caller, user, paper, now, replaces=[]))
    change = Change(
        root=user.id,
        expected=snapshot.version,
        puts=(proved, state, *told),
        new=(*new, *way_added(ports, user, proved, now, first=first)),
        deletes=dead_pending(snapshot, now),
        events=tuple(events),
    )
    return change, ActivatedFactor(**factor_fields(proved, state), backup_codes=codes)
