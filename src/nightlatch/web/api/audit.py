"""Audit events."""

from __future__ import annotations

from nightlatch.app.audit_events import list_events
from nightlatch.app.messages import EventAnswer, Moment, Page
from nightlatch.domain.time import instant
from nightlatch.ports.directory import EventFilter
from nightlatch.web.common.endpoint import Call, Endpoints
from nightlatch.web.common.query import PageQuery

endpoints = Endpoints("Audit")


class EventQuery(PageQuery, frozen=True, kw_only=True):
    """``since`` and ``until`` are RFC 3339 times, ``until`` exclusive."""

    user: str | None = None
    application: str | None = None
    type: str | None = None
    since: Moment | None = None
    until: Moment | None = None


@endpoints.get("/v1/audit/events", scope="audit:read")
async def list_audit_events(call: Call, query: EventQuery) -> Page[EventAnswer]:
    """List audit events.

    In the order of the gapless sequence `seq`. `personal` is null once the user was deleted.
    """
    which = EventFilter(
        user_id=query.user,
        application_id=query.application,
        type=query.type,
        since=None if query.since is None else instant(query.since),
        until=None if query.until is None else instant(query.until),
    )
    return await list_events(call.ports, call.caller, which, query.cursor, query.limit)
