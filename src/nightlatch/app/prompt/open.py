"""The address that opens a hosted prompt, and its first opening (X4, X5).

The address holds a single-use token, because a redirect can carry nothing else. The first
browser that follows it trades the token for its own cookie and goes on to an address without
any secret; a second browser that finds the token in a log or a history gets nothing.
"""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.app.tickets import issue
from nightlatch.domain.records import Authentication, Ticket, TicketKind


def issue_prompt(ports: Ports, now: int, authentication: Authentication) -> tuple[str, Ticket]:
    """The ``prompt_url`` of an authentication, and the ticket to store in the same change.

    The ticket lives as long as the authentication and belongs to its root.
    """
    token, ticket = issue(
        ports,
        now,
        TicketKind.PROMPT,
        root=authentication.root,
        user_id=authentication.user_id,
        application_id=authentication.application_id,
        authentication_id=authentication.id,
        ttl=max(0, authentication.expires_at - now),
    )
    return f"{ports.site.public_url}/prompt?ticket={token}", ticket
