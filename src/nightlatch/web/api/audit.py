"""Audit events."""

from __future__ import annotations

import datetime as dt

from nightlatch.app.audit_events import list_events
from nightlatch.app.messages import EventAnswer, Moment, Page
from nightlatch.domain.errors import Invalid
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
        since=_instant("/since", query.since),
        until=_instant("/until", query.until),
    )
    return await list_events(call.ports, call.caller, which, query.cursor, query.limit)


def _instant(pointer: str, when: dt.datetime | None) -> int | None:
    try:
        return None if when is None else instant(when)
    except ValueError as error:
        raise Invalid.field(pointer, "out_of_range", f"{error}.") from None
