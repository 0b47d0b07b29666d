"""One answer to a pending authentication."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from nightlatch.app.approving import approved, assertion_of, trace
from nightlatch.app.attempt import (
    MAX_WRONG_ANSWERS,
    move,
    rejected,
    require_not_hosted,
    status_at,
)
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import offered, recognize, usable
from nightlatch.app.events import make_event
from nightlatch.app.judging import Judged, judge
from nightlatch.app.messages import NewVerification, VerificationAnswer
from nightlatch.app.notices.notices import code_used
from nightlatch.app.notices.refusals import note_refused, sign_in_refused
from nightlatch.domain.assurance import Assurance, assess, satisfies
from nightlatch.domain.errors import Conflict, Invalid, Throttled
from nightlatch.domain.records import Authentication, AuthenticationStatus, Event, Record, User
from nightlatch.domain.throttle import Lane
from nightlatch.ports.store import Change, Snapshot


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one answer; ``device_token`` is told once. ``told_of``: its refusal was mailed to the user."""

    authentication: Authentication
    user: User | None
    judged: Judged
    device_token: str | None = None
    told_of: bool = False

    @property
    def approved(self) -> bool:
        """Whether this very answer approved the authentication."""
        return self.authentication.status is AuthenticationStatus.APPROVED


async def answer(ports: Ports, caller: Caller, authentication_id: str, request: NewVerification) -> VerificationAnswer:
    """Judge one code. Wrong ones count; the authentication stays pending until the fifth.

    Raises ``NotFound`` for another application's, ``Conflict`` for one that is decided or is
    answered in its hosted prompt, ``Invalid`` ``factor_required``.
    """
    code = code_of(request)

    async def decide(snapshot: Snapshot, authentication: Authentication) -> tuple[Change | None, Answered]:
        require_not_hosted(authentication)
        return await decide_answer(
            ports,
            caller,
            snapshot,
            authentication,
            code,
            factor_id=request.factor,
            remember=request.remember_device,
        )

    try:
        answered = await move(ports, caller, authentication_id, decide)
    except Throttled as crowd:
        return VerificationAnswer(status="rejected", reason="throttled", retry_after=crowd.retry_after)
    await note_refused(ports, answered.user, answered.told_of)
    return told(ports, answered)


def code_of(request: NewVerification) -> str:
    """The code that was sent; passkeys come with their factor."""
    if request.credential is not None:
        raise Invalid.field("/credential", "not_supported", "No way to sign in here takes one.")
    if request.code is None:
        raise Invalid.field("/code", "required", "Send the code that the person typed.")
    return request.code


def told(ports: Ports, answered: Answered) -> VerificationAnswer:
    """The wire's shape."""
    judged = answered.judged
    if not answered.approved:
        return VerificationAnswer(status="rejected", reason=judged.rejection, retry_after=judged.retry_after)
    now = answered.authentication.approved_at or 0
    return VerificationAnswer(
        status="approved",
        assertion=assertion_of(ports, answered.authentication, answered.user, now),
        device_token=answered.device_token,
        factor=answered.authentication.factor_id,
        backup_codes_left=judged.backup_codes_left,
    )


async def decide_answer(
    ports: Ports,
    caller: Caller,
    snapshot: Snapshot,
    authentication: Authentication,
    code: str,
    *,
    factor_id: str | None,
    remember: bool,
) -> tuple[Change | None, Answered]:
    """What one answer changes. Nothing is stored here; a conflict asks again."""
    now = ports.clock.now()
    status = status_at(authentication, now)
    if status is AuthenticationStatus.EXPIRED:
        return None, Answered(authentication, snapshot.user, Judged(rejection="expired"))
    if status is not AuthenticationStatus.PENDING:
        raise Conflict(
            f"This authentication is {status.value}; start a new one.",
            code=f"already_{status.value}",
        )
    a = authentication
    judged = await judge(
        ports,
        snapshot,
        offered(snapshot, a.allowed_kinds, a.acr_required, a.first_factor) if usable(snapshot.user) else (),
        code,
        factor_id=factor_id,
        lane=Lane.KNOWN if a.device_known else Lane.OTHER,
        now=now,
    )
    return await conclude(ports, caller, snapshot, authentication, judged, now, remember=remember)


def settle(ports: Ports, authentication: Authentication, judged: Judged, now: int, *, remember: bool) -> Authentication:
    """The authentication after one judgement: approved when what was proved is enough."""
    if judged.evidence is None or judged.factor is None:
        if not judged.counted:
            return authentication
        wrong = authentication.wrong_answers + 1
        counted = msgspec.structs.replace(authentication, wrong_answers=wrong)
        over = wrong >= MAX_WRONG_ANSWERS
        return rejected(counted, "too_many_wrong_answers") if over else counted
    proved = assess((judged.evidence,), authentication.first_factor)
    if not satisfies(proved.acr, Assurance(authentication.acr_required)):
        return authentication
    kept = msgspec.structs.replace(authentication, remember_device=remember and authentication.remember_for is not None)
    return approved(ports, kept, proved, now, factor_id=judged.factor.id)


async def conclude(
    ports: Ports,
    caller: Caller,
    snapshot: Snapshot,
    authentication: Authentication,
    judged: Judged,
    now: int,
    *,
    remember: bool,
) -> tuple[Change, Answered]:
    """Turn a judgement into the change that stores it."""
    settled = settle(ports, authentication, judged, now, remember=remember)
    token, left = traces(ports, snapshot, settled, now)
    event = answer_event(ports, caller, snapshot.user, settled, judged, now)
    refusals = await sign_in_refused(ports, snapshot.user, settled, judged, now)
    change = Change(
        root=settled.root,
        expected=snapshot.version,
        puts=(*judged.states, *judged.records, *judged.unlocked, *left, settled),
        new=(*code_used(ports, snapshot.user, judged.backup_codes_left, now), *refusals),
        events=(event,),
    )
    return change, Answered(settled, snapshot.user, judged, token, told_of=bool(refusals))


def traces(
    ports: Ports, snapshot: Snapshot, settled: Authentication, now: int
) -> tuple[str | None, tuple[Record, ...]]:
    """What an approval leaves behind; nothing without one."""
    if settled.status is not AuthenticationStatus.APPROVED:
        return None, ()
    seen = recognize(snapshot.device, settled.device_hash, now)
    return trace(ports, settled, seen.device, now)


def answer_event(
    ports: Ports,
    caller: Caller,
    user: User | None,
    authentication: Authentication,
    judged: Judged,
    now: int,
    *,
    beside: dict[str, Any] | None = None,
) -> Event:
    """Who answered with what, from where, and how it ended."""
    success = authentication.status is AuthenticationStatus.APPROVED
    return make_event(
        ports,
        caller,
        now,
        "authentication:approved" if success else "authentication:answer_refused",
        outcome="success" if success else "failure",
        user=user,
        application_id=authentication.application_id,
        authentication_id=authentication.id,
        factor_id=judged.factor.id if judged.factor else None,
        factor_kind=judged.factor.kind.value if judged.factor else None,
        reason=judged.reason or authentication.status_reason,
        data={
            "action": authentication.action,
            "decision": authentication.decision,
            "reasons": [reason["code"] for reason in authentication.reasons],
            "policy_version": authentication.policy_version,
            "acr": authentication.acr,
            "wrong_answers": authentication.wrong_answers,
            **unlocked_data(judged),
            **(beside or {}),
        },
        personal={"ip": authentication.ip, "user_agent": authentication.user_agent},
    )


def unlocked_data(judged: Judged) -> dict[str, Any]:
    """For the event: the phones that may be asked again because of this answer."""
    return {"unlocked": [factor.id for factor in judged.unlocked]} if judged.unlocked else {}
