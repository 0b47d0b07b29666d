"""Open a challenge: name the factor that the person will answer with."""

from __future__ import annotations

from nightlatch.app.attempt import move, require_not_hosted, require_open
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import offered, usable
from nightlatch.app.events import make_event
from nightlatch.app.messages import ChallengeAnswer, NewChallenge
from nightlatch.domain.errors import Invalid
from nightlatch.domain.ids import CHALLENGE
from nightlatch.domain.records import Authentication, Challenge
from nightlatch.domain.time import moment
from nightlatch.ports.store import Change, Snapshot


async def open_challenge(
    ports: Ports, caller: Caller, authentication_id: str, request: NewChallenge
) -> ChallengeAnswer:
    """A challenge of one offered factor. Codes that an app shows need none, and may have one.

    Raises ``NotFound``, ``Conflict`` when the authentication is over, ``Invalid`` for a factor
    that is not on offer.
    """

    async def decide(snapshot: Snapshot, authentication: Authentication) -> tuple[Change, ChallengeAnswer]:
        now = ports.clock.now()
        require_not_hosted(authentication)
        require_open(authentication, now)
        a = authentication
        on_offer = offered(snapshot, a.allowed_kinds, a.acr_required, a.first_factor) if usable(snapshot.user) else ()
        factor = next((f for f in on_offer if f.id == request.factor), None)
        if factor is None:
            raise Invalid.field("/factor", "no_such_factor", "Take the id of one of this authentication's factors.")
        challenge = Challenge(
            id=ports.new_id(CHALLENGE, now),
            user_id=a.user_id,
            authentication_id=a.id,
            factor_id=factor.id,
            kind=factor.kind,
            created_at=now,
            expires_at=a.expires_at,
        )
        event = make_event(
            ports,
            caller,
            now,
            "challenge:opened",
            outcome="info",
            user=snapshot.user,
            authentication_id=a.id,
            factor_id=factor.id,
            factor_kind=factor.kind.value,
        )
        change = Change(root=a.root, expected=snapshot.version, new=(challenge,), events=(event,))
        return change, ChallengeAnswer(
            id=challenge.id,
            kind=factor.kind,
            factor=factor.id,
            expires_at=moment(challenge.expires_at),
        )

    return await move(ports, caller, authentication_id, decide)
