"""A code by text: the button that sends it, and news of it."""

from __future__ import annotations

import msgspec

from nightlatch.app.prompt.text import send_text, view_sent
from nightlatch.domain.errors import Conflict, Invalid
from nightlatch.web.pages.prompt.pages import MAX_CODE, base_of
from nightlatch.web.pages.prompt.session import visit_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, go
from nightlatch.web.pages.shared.texts import NOT_TEXTED, news_of, refused_text

routes = PageRoutes()


@routes.post("/prompt/{authentication}/text")
async def send(request: PageRequest) -> Page:
    """Send a code to a number."""
    visit = visit_of(request)
    form = await request.form(visit.secret)
    way_id = form.get("way", "")[:MAX_CODE]
    field = f"{base_of(visit)}/code?way={way_id}"
    try:
        await send_text(request.ports, visit, way_id)
    except Invalid:
        return go(base_of(visit))
    except NOT_TEXTED as refusal:
        if isinstance(refusal, Conflict) and refusal.code.startswith("already_"):
            return go(base_of(visit))
        return go(f"{field}&said={refused_text(refusal)}")
    return go(field)


@routes.get("/prompt/{authentication}/text")
async def news(request: PageRequest) -> Page:
    """Whether the text could be sent, for the script of its page."""
    visit = visit_of(request)
    sent = await view_sent(request.ports, visit, request.query.get("way", "")[:MAX_CODE])
    return Page(body=msgspec.json.encode(news_of(sent)), media_type="application/json")
