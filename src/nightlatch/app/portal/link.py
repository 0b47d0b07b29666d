"""A one-time link to a person's own page (api.md, "Portal")."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.messages import PortalLink
from nightlatch.app.portal.session import made_by
from nightlatch.app.tickets import issue
from nightlatch.app.users.reference import active, user_key
from nightlatch.domain.errors import Invalid
from nightlatch.domain.records import TicketKind, UserKind
from nightlatch.domain.time import MINUTE, moment
from nightlatch.ports.store import Change, Snapshot

LINK_LIFE = 5 * MINUTE


async def new_portal_link(ports: Ports, caller: Caller, ref: str) -> PortalLink:
    """A link that opens the person's page once, within 5 minutes, at ``aal1`` until a factor is proved there.

    Raises ``NotFound``, ``Conflict`` for a disabled user, ``Invalid`` for a service account, which has no page.
    """

    async def decide(snapshot: Snapshot) -> Decided[PortalLink]:
        user = active(snapshot)
        if user.kind is not UserKind.PERSON:
            raise Invalid("A service account has no page.", code="service_account_has_no_portal")
        now = ports.clock.now()
        token, ticket = issue(
            ports,
            now,
            TicketKind.PORTAL_LINK,
            root=user.id,
            user_id=user.id,
            application_id=caller.application.id if caller.application else None,
            ttl=LINK_LIFE,
            data=made_by(caller.key_hash),
        )
        event = make_event(ports, caller, now, "portal_link:created", user=user, personal={"username": user.username})
        change = Change(root=user.id, expected=snapshot.version, new=(ticket,), events=(event,))
        url = f"{ports.site.public_url}/portal?ticket={token}"
        return change, PortalLink(url=url, expires_at=moment(ticket.expires_at))

    return await transact(ports.store, user_key(ref), decide)
