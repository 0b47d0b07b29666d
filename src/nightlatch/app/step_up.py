"""Leave to change how somebody signs in: the owner's own fresh approval, and nobody else's (B1, E4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import active_factors, stands
from nightlatch.app.events import make_event
from nightlatch.app.users.reference import user_key
from nightlatch.domain.assurance import Assurance, FirstFactor, reachable, satisfies
from nightlatch.domain.errors import StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.ids import AUTHENTICATION, is_id
from nightlatch.domain.policy.compiled import MANAGE_FACTORS, CompiledPolicy
from nightlatch.domain.records import Authentication, AuthenticationStatus, Record, User
from nightlatch.domain.time import MINUTE
from nightlatch.ports.store import Change, Snapshot, UserKey

APPROVAL_LIFE = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave to change a user's factors.

    ``approved``: the owner proved a factor for it; without one it is leave to begin a *first* factor. ``approval`` is
    the authentication in which that happened. ``puts`` go into the same change: what is used up by it.
    """

    approved: bool
    approval: str | None = None
    puts: tuple[Record, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """As the audit log tells on whose word a factor was begun."""
        return {"approved": self.approved, "approval": self.approval}


def approval_key(ref: str, approval: str | None) -> UserKey:
    """The user with the authentication that is to approve; a text that can be no id loads none."""
    known = approval if approval is not None and is_id(approval, AUTHENTICATION) else None
    return replace(user_key(ref), authentication=known)


async def leave_by_approval(ports: Ports, caller: Caller, snapshot: Snapshot, approval: str | None, now: int) -> Leave:
    """What the approval that came with a request permits. Raises ``StepUpRequired``."""
    if not active_factors(snapshot):
        return Leave(approved=False)
    used = check_approval(caller, snapshot, await ports.policies.current(), approval, now)
    return Leave(approved=True, approval=used.id, puts=(used,))


def check_approval(
    caller: Caller, snapshot: Snapshot, policy: CompiledPolicy, approval: str | None, now: int
) -> Authentication:
    """The approving authentication, marked as used; to be stored in the change that it approves.

    It must be the user's own, for this action alone, made by the calling application, with a factor proved in it at
    the highest level that the user's factors reach, at most 5 minutes ago, not used before, and that
    factor not removed since; a hosted one with its result redeemed. An operator at the command line calls for no
    application and may use any's: it is still the owner's approval. Raises ``StepUpRequired``, which does not tell
    what was missing.
    """
    given, user, application = snapshot.authentication, snapshot.user, caller.application
    if given is None or user is None or given.id != approval:
        raise StepUpRequired
    foreign = application is not None and given.application_id != application.id
    if foreign or given.user_id != user.id or given.root != user.id or given.action != MANAGE_FACTORS:
        raise StepUpRequired
    if given.status is not AuthenticationStatus.APPROVED or given.approval_used_at is not None:
        raise StepUpRequired
    # Until its result came back with a browser of the application's own, whoever began it may have sent its address to
    # the owner, to approve what they did not ask for (X5).
    if given.return_url is not None and given.redeemed_at is None:
        raise StepUpRequired
    # A decision of "allow" approves as well, with nothing proved.
    if given.factor_id is None or given.acr is None or given.approved_at is None:
        raise StepUpRequired
    if not stands(snapshot, given):
        raise StepUpRequired
    # One from the future was made before the clock was set back: its age is unknown (T10).
    if not 0 <= now - given.approved_at <= APPROVAL_LIFE:
        raise StepUpRequired
    if not satisfies(Assurance(given.acr), highest_level(snapshot, policy, _first_factor(given))):
        raise StepUpRequired
    return replace(given, approval_used_at=now)


def highest_level(snapshot: Snapshot, policy: CompiledPolicy, first_factor: FirstFactor | None) -> Assurance:
    """What the user's active factors reach, of those that policy lets answer (``policy.evaluate`` asks for the same).

    Those that it no longer allows count only for somebody who has no other, or nobody could replace them.
    """
    active = {factor.kind for factor in active_factors(snapshot)}
    kinds = active.intersection(policy.kinds)
    if kinds <= {FactorKind.BACKUP_CODES}:
        kinds = active
    return reachable(kinds, first_factor)


def refused(ports: Ports, caller: Caller, user: User, snapshot: Snapshot, now: int, wanted: str) -> Change:
    """The trace of a change of factors that was asked for without leave; ``wanted`` is its event type."""
    event = make_event(
        ports,
        caller,
        now,
        "approval:refused",
        outcome="failure",
        user=user,
        authentication_id=snapshot.authentication.id if snapshot.authentication else None,
        reason=StepUpRequired.code,
        data={"wanted": wanted},
    )
    return Change(root=user.id, expected=snapshot.version, events=(event,))


def _first_factor(authentication: Authentication) -> FirstFactor | None:
    value = authentication.first_factor
    return "pwd" if value == "pwd" else "none" if value == "none" else None
