"""Figures of the texts that were asked for."""

from __future__ import annotations

from nightlatch.app.messages import Moment
from nightlatch.app.texts.statistics import TextStatistics, text_statistics
from nightlatch.domain.errors import Invalid
from nightlatch.domain.time import DAY, instant
from nightlatch.web.common.endpoint import Call, Endpoints
from nightlatch.web.common.query import Query

endpoints = Endpoints("Texts")

LOOK_BACK = 7 * DAY


class TextQuery(Query, frozen=True, kw_only=True):
    """``since`` and ``until`` are RFC 3339 times, ``until`` exclusive; seven days back where no beginning is named."""

    since: Moment | None = None
    until: Moment | None = None


@endpoints.get("/v1/sms/statistics", scope="audit:read")
async def read_text_statistics(call: Call, query: TextQuery) -> TextStatistics:
    """Read figures of texts.

    By range of numbers: asked for, sent, delivered, failed, codes typed, mean seconds to the receipt, estimated cost.
    """
    until = instant(query.until) if query.until else call.ports.clock.now()
    since = instant(query.since) if query.since else until - LOOK_BACK
    if since >= until:
        raise Invalid.field("/since", "out_of_range", "since is before until.")
    return await text_statistics(call.ports, since=since, until=until)
