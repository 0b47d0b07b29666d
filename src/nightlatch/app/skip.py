"""Go on without a second factor while the grace period lasts."""

from __future__ import annotations

from nightlatch.app.answer import Answered, told, traces
from nightlatch.app.approving import approved
from nightlatch.app.attempt import move, require_not_hosted, require_open
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import active_factors, usable
from nightlatch.app.events import make_event
from nightlatch.app.judging import Judged
from nightlatch.app.messages import VerificationAnswer
from nightlatch.domain.assurance import assess
from nightlatch.domain.errors import Conflict
from nightlatch.domain.records import Authentication
from nightlatch.ports.store import Change, Snapshot


async def skip(ports: Ports, caller: Caller, authentication_id: str) -> VerificationAnswer:
    """Approve at ``aal1``: what the application itself checked, and nothing more.

    Raises ``Conflict`` ``not_skippable`` once policy wants a factor now.
    """

    async def decide(snapshot: Snapshot, authentication: Authentication) -> tuple[Change, Answered]:
        require_not_hosted(authentication)
        return skipped(ports, caller, snapshot, authentication, ports.clock.now())

    return told(ports, await move(ports, caller, authentication_id, decide))


def skipped(
    ports: Ports, caller: Caller, snapshot: Snapshot, authentication: Authentication, now: int
) -> tuple[Change, Answered]:
    """The change of a skip, by the API or by the person in the prompt."""
    require_open(authentication, now)
    deadline = authentication.grace_ends_at
    if active_factors(snapshot) or not usable(snapshot.user):
        # It was decided for somebody who had no factor, and might sign in.
        deadline = None
    if not authentication.skippable or deadline is None or now >= deadline:
        raise Conflict("A way to sign in must be set up now.", code="not_skippable")
    settled = approved(ports, authentication, assess((), authentication.first_factor), now)
    token, left = traces(ports, snapshot, settled, now)
    event = make_event(
        ports,
        caller,
        now,
        "authentication:skipped",
        user=snapshot.user,
        application_id=settled.application_id,
        authentication_id=settled.id,
        data={"acr": settled.acr, "action": settled.action},
        personal={"ip": settled.ip, "user_agent": settled.user_agent},
    )
    change = Change(root=settled.root, expected=snapshot.version, puts=(*left, settled), events=(event,))
    return change, Answered(settled, snapshot.user, Judged(), token)
