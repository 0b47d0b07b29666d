"""Decision and verification in one call: the hot path."""

from __future__ import annotations

import msgspec

from nightlatch.app.answer import Answered, answer_event, settle, told, traces
from nightlatch.app.attempt import rejected
from nightlatch.app.authenticate import (
    begin,
    problems_of_action,
    problems_of_context,
    report_only_data,
    require_application,
    started_grace,
)
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import (
    Asked,
    active_factors,
    asked,
    evaluate,
    recognize,
    theft,
    usable,
)
from nightlatch.app.judging import Judged, judge
from nightlatch.app.kernel import transact
from nightlatch.app.messages import OneShot, OneShotAnswer
from nightlatch.app.notices.notices import browser_stolen, code_used
from nightlatch.app.notices.refusals import note_refused, sign_in_refused
from nightlatch.app.users.reference import user_key
from nightlatch.domain.errors import Invalid, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.registry import REGISTRY
from nightlatch.domain.ids import AUTHENTICATION
from nightlatch.domain.policy.decision import Decision
from nightlatch.domain.records import Authentication, AuthenticationStatus, Factor
from nightlatch.ports.store import Change, Snapshot


async def verify(ports: Ports, caller: Caller, request: OneShot) -> OneShotAnswer:
    """Judge a code whatever policy decides; only ``allow`` and ``challenge`` can approve.

    Raises ``Invalid``, ``Unavailable``. A crowd on one account is answered ``throttled``.
    """
    application = require_application(caller)
    problems = [*problems_of_action(request.action, request.acr), *problems_of_context(request.context)]
    if problems:
        raise Invalid(fields=tuple(problems))
    ask = asked(
        application,
        request.context,
        action=request.action,
        acr=request.acr,
        first_factor=request.first_factor,
    )
    key = msgspec.structs.replace(
        user_key(request.user),
        device=ask.device_hash,
        device_application=application.id,
        network=ask.network,
    )

    async def decide(snapshot: Snapshot) -> tuple[Change | None, Answered]:
        return await _decide(ports, caller, request, ask, snapshot)

    try:
        answered = await transact(ports.store, key, decide)
    except Throttled as crowd:
        return OneShotAnswer(
            status="rejected",
            reason="throttled",
            retry_after=crowd.retry_after,
            decision="challenge",
            id=ports.new_id(AUTHENTICATION, ports.clock.now()),
        )
    await note_refused(ports, answered.user, answered.told_of)
    said = told(ports, answered)
    return OneShotAnswer(
        **{name: getattr(said, name) for name in said.__struct_fields__},
        decision=answered.authentication.decision,  # type: ignore[arg-type]  # from Decision
        id=answered.authentication.id,
    )


async def _decide(
    ports: Ports, caller: Caller, request: OneShot, ask: Asked, snapshot: Snapshot
) -> tuple[Change | None, Answered]:
    now = ports.clock.now()
    policy = await ports.policies.current()
    seen = recognize(snapshot.device, ask.device_hash, now)
    decision = evaluate(policy, snapshot, ask, seen, now)
    begun = begin(ports, ask, snapshot, seen, decision, now, named=request.user)
    open_ = msgspec.structs.replace(begun, status=AuthenticationStatus.PENDING, status_reason=None)
    judged = await judge(
        ports,
        snapshot,
        judgeable(snapshot, decision),
        request.code,
        factor_id=request.factor,
        lane=seen.lane,
        now=now,
    )
    settled = _settled(ports, open_, decision, judged, now)
    token, left = traces(ports, snapshot, settled, now)
    stolen, events = theft(ports, caller, snapshot, seen, now)
    user = started_grace(snapshot.user, decision, now)
    begun_grace = (user,) if user is not None and user is not snapshot.user else ()
    event = answer_event(ports, caller, user, settled, judged, now, beside=report_only_data(decision))
    refusals = await sign_in_refused(ports, user, settled, judged, now)
    mails = (
        *browser_stolen(ports, user, stolen, now),
        *code_used(ports, user, judged.backup_codes_left, now),
        *refusals,
    )
    change = Change(
        root=settled.root,
        expected=snapshot.version if settled.user_known else 0,
        puts=(*judged.states, *judged.unlocked, *left, *stolen, *begun_grace),
        new=(settled, *mails),
        events=(*events, event),
    )
    return change, Answered(settled, user, judged, token, told_of=bool(refusals))


def judgeable(snapshot: Snapshot, decision: Decision) -> tuple[Factor, ...]:
    """Every factor that an answer may be for, whatever level it reaches: the code is judged even
    where policy denies, so that a wrong one counts. No text was sent for it, so that none can be answered.
    """
    if not usable(snapshot.user):
        return ()
    allowed = decision.allowed_kinds
    return tuple(
        factor
        for factor in active_factors(snapshot)
        if factor.kind in REGISTRY
        and factor.kind is not FactorKind.SMS
        and (not allowed or factor.kind.value in allowed)
    )


def _settled(
    ports: Ports, authentication: Authentication, decision: Decision, judged: Judged, now: int
) -> Authentication:
    """One answer is all there is: approved now, or over."""
    if decision.outcome in ("allow", "challenge"):
        settled = settle(ports, authentication, judged, now, remember=False)
        if settled.status is AuthenticationStatus.APPROVED:
            return settled
    counted = msgspec.structs.replace(authentication, wrong_answers=int(judged.counted))
    return rejected(counted, judged.rejection or _REFUSED.get(decision.outcome, "insufficient"))


_REFUSED = {"deny": "denied", "enroll": "enrollment_required"}
