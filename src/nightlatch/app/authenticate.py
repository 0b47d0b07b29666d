"""One attempt begins: policy decides, and the answer says why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from nightlatch.app.approving import approved, assertion_of, trace
from nightlatch.app.attempt import status_at
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import (
    Asked,
    Recognized,
    asked,
    evaluate,
    offer,
    offered,
    recognize,
    stands,
    theft,
)
from nightlatch.app.events import make_event
from nightlatch.app.kernel import transact
from nightlatch.app.messages import AuthenticationAnswer, ContextIn, NewAuthentication, NewUser, ReasonAnswer
from nightlatch.app.networks import network_of
from nightlatch.app.notices.addresses import to_confirm
from nightlatch.app.notices.notices import browser_stolen
from nightlatch.app.prompt.open import issue_prompt
from nightlatch.app.users.create import new_user_record
from nightlatch.app.users.reference import possible_name, user_key
from nightlatch.domain.assurance import Assurance, assess
from nightlatch.domain.crypto.canonical import NotCanonical, action_hash
from nightlatch.domain.errors import FieldProblem, Forbidden, Invalid
from nightlatch.domain.ids import AUTHENTICATION, USER, is_id, new_id
from nightlatch.domain.policy.decision import Decision
from nightlatch.domain.records import (
    Application,
    Authentication,
    AuthenticationStatus,
    Event,
    Record,
    User,
    UserKind,
    UserStatus,
)
from nightlatch.domain.time import MINUTE, moment
from nightlatch.ports.store import Change, Duplicate, Snapshot

LIFE = 10 * MINUTE
_ACTION = re.compile(r"[a-z][a-z0-9_.:-]{0,63}")
_STATE = re.compile(r"[\x21-\x7e]{1,512}")
MAX_DETAILS = 16 * 1024


async def authenticate(ports: Ports, caller: Caller, request: NewAuthentication) -> AuthenticationAnswer:
    """Decide on one attempt of a user at the caller's application.

    An unknown name gets the shape and the work of a person without factors, and never an
    assertion (H6). Raises ``Invalid``, ``Forbidden``, ``Throttled``, ``Unavailable``.
    """
    application = require_application(caller)
    check_request(application, request)
    ask = asked(
        application,
        request.context,
        action=request.action,
        acr=request.acr,
        first_factor=request.first_factor,
    )
    new_user = _inline_user(ports, caller, request.user)
    started = await _started(ports, caller, request, ask, new_user)
    return started.answer(ports)


def require_application(caller: Caller) -> Application:
    """Authentications belong to the application that made them."""
    if caller.application is None:
        raise Forbidden("Only an application starts authentications.")
    return caller.application


def check_request(application: Application, request: NewAuthentication) -> None:
    """Every field that is wrong, at once."""
    problems = [*problems_of_action(request.action, request.acr), *problems_of_context(request.context)]
    details = request.action_details
    if details is not None:
        problems += _problems_of_details(details)
    if request.return_url is not None:
        if request.return_url not in application.return_urls:
            problems.append(
                FieldProblem(
                    "/return_url",
                    "not_registered",
                    "Register this exact address with the application first.",
                )
            )
        if request.state is None:
            problems.append(FieldProblem("/state", "required", "A return_url needs the state of its session."))
    if request.state is not None and not _STATE.fullmatch(request.state):
        problems.append(FieldProblem("/state", "invalid_state", "1 to 512 printable ASCII characters."))
    if problems:
        raise Invalid(fields=tuple(problems))


def _problems_of_details(details: dict[str, Any]) -> list[FieldProblem]:
    """What an approval cannot be bound to is refused now: later a code would be spent on it."""
    try:
        action_hash(details)
    except NotCanonical as error:
        return [FieldProblem("/action_details", "not_canonical", str(error))]
    if len(msgspec.json.encode(details)) > MAX_DETAILS:
        return [FieldProblem("/action_details", "too_long", "At most 16 KiB of JSON.")]
    return []


def problems_of_action(action: str, acr: str | None) -> list[FieldProblem]:
    """What is wrong with an action's name and a requested level."""
    problems = []
    if not _ACTION.fullmatch(action):
        problems.append(
            FieldProblem("/action", "invalid_action", "Lower-case letters, digits, _ . : - and at most 64.")
        )
    levels = [level.value for level in Assurance]
    if acr is not None and acr not in levels:
        problems.append(FieldProblem("/acr", "unknown_acr", f"One of {', '.join(levels)}."))
    return problems


def problems_of_context(context: ContextIn) -> tuple[FieldProblem, ...]:
    """What is wrong with where a request says that it comes from."""
    try:
        network_of(context.ip)
    except Invalid as invalid:
        return invalid.fields
    return ()


def _inline_user(ports: Ports, caller: Caller, who: str | NewUser) -> User | None:
    if isinstance(who, str):
        return None
    if not caller.may("users:write"):
        raise Forbidden("Creating a person here needs the scope users:write.", code="missing_scope")
    return new_user_record(ports, ports.clock.now(), who, at="/user")


@dataclass(frozen=True, slots=True)
class Started:
    """A stored authentication with what is told once."""

    authentication: Authentication
    user: User | None
    snapshot: Snapshot
    device_token: str | None
    prompt_url: str | None
    now: int

    def answer(self, ports: Ports) -> AuthenticationAnswer:
        """The wire's shape."""
        return answer_of(
            ports,
            self.authentication,
            self.snapshot,
            self.now,
            user=self.user,
            device_token=self.device_token,
            prompt_url=self.prompt_url,
        )


async def _started(
    ports: Ports, caller: Caller, request: NewAuthentication, ask: Asked, new_user: User | None
) -> Started:
    who = request.user if isinstance(request.user, str) else request.user.username
    key = msgspec.structs.replace(
        user_key(who),
        device=ask.device_hash,
        device_application=ask.application.id,
        network=ask.network,
    )

    async def decide(snapshot: Snapshot) -> tuple[Change, Started]:
        return await _decide(ports, caller, request, ask, new_user, snapshot)

    try:
        return await transact(ports.store, key, decide)
    except Duplicate:
        # Somebody created the same name meanwhile; now it is known.
        return await transact(ports.store, key, decide)


async def _decide(
    ports: Ports, caller: Caller, request: NewAuthentication, ask: Asked, new_user: User | None, snapshot: Snapshot
) -> tuple[Change, Started]:
    now = ports.clock.now()
    created = new_user if snapshot.user is None else None
    if created is not None:
        snapshot = Snapshot(root=created.id, version=0, user=created)
    policy = await ports.policies.current()
    seen = recognize(snapshot.device, ask.device_hash, now)
    decision = evaluate(policy, snapshot, ask, seen, now)
    authentication = begin(ports, ask, snapshot, seen, decision, now, named=_name(request))
    authentication = msgspec.structs.replace(
        authentication,
        action_details=request.action_details,
        return_url=request.return_url if decision.outcome != "allow" else None,
        state=request.state,
    )
    stolen, events = theft(ports, caller, snapshot, seen, now)
    user = started_grace(snapshot.user, decision, now)
    begun_grace = (user,) if user and not created and user is not snapshot.user else ()
    new: list[Record] = [user, *await to_confirm(ports, created, now)] if user and created else []
    new += browser_stolen(ports, snapshot.user, stolen, now)
    authentication, token, left = _allowed(ports, ask, authentication, user, seen, now)
    url = None
    if authentication.return_url is not None:
        url, ticket = issue_prompt(ports, now, authentication, named=possible_name(_name(request)))
        new.append(ticket)
    new.append(authentication)
    events = (*events, decided_event(ports, caller, authentication, user, decision, now))
    change = Change(
        root=authentication.root,
        expected=snapshot.version if authentication.user_known else 0,
        puts=(*stolen, *begun_grace, *left),
        new=tuple(new),
        events=events,
    )
    return change, Started(authentication, user, snapshot, token, url, now)


def _allowed(
    ports: Ports, ask: Asked, authentication: Authentication, user: User | None, seen: Recognized, now: int
) -> tuple[Authentication, str | None, tuple[Record, ...]]:
    """What policy allows is approved at once: with a person's device token, and what else that leaves behind."""
    if authentication.decision != "allow":
        return authentication, None, ()
    authentication = approved(ports, authentication, assess((), ask.first_factor), now)
    if user is None or user.kind is not UserKind.PERSON:
        return authentication, None, ()
    token, left = trace(ports, authentication, seen.device, now)
    return authentication, token, left


def _name(request: NewAuthentication) -> str:
    return request.user if isinstance(request.user, str) else request.user.username


_DECIDED = {"allow": AuthenticationStatus.APPROVED, "deny": AuthenticationStatus.REJECTED}
"""What policy decides by itself; all else waits for an answer."""


def begin(
    ports: Ports, ask: Asked, snapshot: Snapshot, seen: Recognized, decision: Decision, now: int, *, named: str
) -> Authentication:
    """The authentication as policy decided it, not yet answered."""
    id_ = ports.new_id(AUTHENTICATION, now)
    user = snapshot.user
    if user is not None and user.status is UserStatus.DELETED:
        user = None
    return Authentication(
        id=id_,
        root=user.id if user else id_,
        user_id=user.id if user else decoy_id(ports, named),
        user_known=user is not None,
        application_id=ask.application.id,
        action=ask.action,
        acr_requested=ask.acr,
        acr_required=decision.acr_required,
        first_factor=ask.first_factor,
        ip=ask.ip,
        user_agent=(ask.user_agent or "")[:512] or None,
        device_hash=ask.device_hash,
        device_known=seen.lane.value == "known",
        decision=decision.outcome,
        reasons=[msgspec.to_builtins(reason) for reason in decision.reasons],
        allowed_kinds=decision.allowed_kinds,
        skippable=decision.skippable,
        fresh=decision.fresh,
        max_age=decision.max_age,
        remember_for=decision.remember_for,
        grace_ends_at=decision.grace_ends_at,
        policy_version=decision.policy_version,
        status=_DECIDED.get(decision.outcome, AuthenticationStatus.PENDING),
        status_reason="denied" if decision.outcome == "deny" else None,
        created_at=now,
        expires_at=now + LIFE,
    )


def decoy_id(ports: Ports, named: str) -> str:
    """An id for a name that nobody has: always the same one, and like any other (H6)."""
    if is_id(named, USER):
        return named
    # In the spelling by which somebody of that name would be found.
    name = possible_name(named) or named
    digest = ports.sealer.digest("decoy", name.encode("utf-8", "replace"))
    age = int.from_bytes(digest[10:14], "big") % (300 * 24 * 60)
    return new_id(USER, _DECOY_EPOCH + age * MINUTE, digest[:10])


_DECOY_EPOCH = 1_767_225_600_000_000
"""2026-01-01: decoys look as if they were made in the months after it."""


def started_grace(user: User | None, decision: Decision, now: int) -> User | None:
    """Set the absolute deadline with the first decision that wanted a factor."""
    if user is None or not decision.grace_starts or user.grace_started_at is not None:
        return user
    return msgspec.structs.replace(user, grace_started_at=now)


def decided_event(
    ports: Ports,
    caller: Caller,
    authentication: Authentication,
    user: User | None,
    decision: Decision,
    now: int,
) -> Event:
    """What policy said and why; the report-only document's answer beside it."""
    data = {
        "action": authentication.action,
        "decision": decision.outcome,
        "acr_required": decision.acr_required,
        "reasons": [reason.code for reason in decision.reasons],
        "policy_version": decision.policy_version,
        **report_only_data(decision),
    }
    outcome = {"allow": "success", "deny": "failure"}.get(decision.outcome, "info")
    return make_event(
        ports,
        caller,
        now,
        "authentication:decided",
        outcome=outcome,  # type: ignore[arg-type]  # the literals of the line above
        user=user,
        authentication_id=authentication.id,
        data=data,
        personal={"ip": authentication.ip, "user_agent": authentication.user_agent},
    )


def report_only_data(decision: Decision) -> dict[str, Any]:
    """What the document that changes no answer would have said."""
    beside = decision.report_only
    if beside is None:
        return {}
    return {
        "report_only": {
            "decision": beside.outcome,
            "acr_required": beside.acr_required,
            "reasons": [reason.code for reason in beside.reasons],
        }
    }


def answer_of(
    ports: Ports,
    authentication: Authentication,
    snapshot: Snapshot,
    now: int,
    *,
    user: User | None,
    device_token: str | None = None,
    prompt_url: str | None = None,
) -> AuthenticationAnswer:
    """How an authentication is told to its application."""
    a = authentication
    status = status_at(a, now)
    open_ = status is AuthenticationStatus.PENDING
    factors = offered(snapshot, a.allowed_kinds, a.acr_required, a.first_factor) if open_ else ()
    return AuthenticationAnswer(
        id=a.id,
        user=a.user_id,
        decision=a.decision,  # type: ignore[arg-type]  # stored from Decision.outcome
        status=status,
        acr_required=a.acr_required,
        reasons=[msgspec.convert(reason, ReasonAnswer) for reason in a.reasons],
        factors=[offer(factor) for factor in factors],
        grace_ends_at=moment(a.grace_ends_at) if a.grace_ends_at else None,
        expires_at=moment(a.expires_at),
        prompt_url=prompt_url,
        # A hosted authentication's assertion is given by its result code alone.
        assertion=assertion_of(ports, a, user, now) if not a.return_url and stands(snapshot, a) else None,
        device_token=device_token,
        reason=a.status_reason or msgspec.UNSET,
    )
