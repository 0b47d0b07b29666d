"""One-time links to a person's own page."""

from __future__ import annotations

from nightlatch.app.messages import PortalLink
from nightlatch.app.portal.link import new_portal_link
from nightlatch.domain.errors import Conflict
from nightlatch.web.common.endpoint import Call, Endpoints, always

endpoints = Endpoints("Portal")


@endpoints.post(
    "/v1/users/{user}/portal-links", scope="enroll", status=201, creates=True, secret=always, refusals=(Conflict,)
)
async def create_portal_link(call: Call, user: str) -> PortalLink:
    """Make a link to the person's own page.

    It works once, for five minutes, at `aal1` until a factor is proved there. Send it to nobody but its owner.
    """
    return await new_portal_link(call.ports, call.caller, user)
