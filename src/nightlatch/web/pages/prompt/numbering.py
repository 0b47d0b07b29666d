"""Setting a number up from within a sign-in."""

from __future__ import annotations

import msgspec

from nightlatch.app.prompt.number import begin_prompt_number, prompt_number_again, view_prompt_number
from nightlatch.app.prompt.view import Stage, view_prompt
from nightlatch.domain.errors import Conflict, Invalid
from nightlatch.domain.factors.sms import RISK_NOTICE
from nightlatch.web.pages.prompt.pages import MAX_CODE, base_of, screen
from nightlatch.web.pages.prompt.session import visit_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, go
from nightlatch.web.pages.shared.texts import NOT_TEXTED, news_of, number_words, refused_text

routes = PageRoutes()

STAYING = ("sms_vetoed", "too_many_pending_factors", "too_many_texts")
"""What is said at the field; other conflicts mean that the sign-in stands elsewhere by now."""


@routes.get("/prompt/{authentication}/number")
async def number(request: PageRequest) -> Page:
    """The field for a number, and what must be known of texts."""
    visit = visit_of(request)
    view = await view_prompt(request.ports, visit)
    if not view.may_text or view.stage not in (Stage.START, Stage.GRACE, Stage.SETUP, Stage.NUMBER):
        return go(base_of(visit))
    said = request.query.get("said")
    told = {"error": number_words(said), "not_sent": said == "not_sent", "notice": RISK_NOTICE}
    return screen(request, visit, view, "prompt/number.html", **told)


@routes.post("/prompt/{authentication}/number")
async def begin(request: PageRequest) -> Page:
    """Send a number its first code."""
    visit = visit_of(request)
    form = await request.form(visit.secret)
    field = f"{base_of(visit)}/number"
    try:
        await begin_prompt_number(request.ports, visit, form.get("phone", "")[:MAX_CODE])
    except Invalid as refusal:
        return go(f"{field}?said={refusal.fields[0].code if refusal.fields else 'invalid_phone'}")
    except NOT_TEXTED as refusal:
        if refusal.code == "confirmation_required":
            raise
        if isinstance(refusal, Conflict) and refusal.code not in STAYING:
            # Decided meanwhile, in another tab or by time: the prompt shows how.
            return go(base_of(visit))
        return go(f"{field}?said={refused_text(refusal)}")
    return go(base_of(visit))


@routes.post("/prompt/{authentication}/number/again")
async def again(request: PageRequest) -> Page:
    """Send it another code."""
    visit = visit_of(request)
    await request.form(visit.secret)
    try:
        await prompt_number_again(request.ports, visit)
    except NOT_TEXTED as refusal:
        return go(f"{base_of(visit)}?said={refused_text(refusal)}")
    return go(base_of(visit))


@routes.get("/prompt/{authentication}/number/news")
async def news(request: PageRequest) -> Page:
    """Whether its text could be sent, for the script of its page."""
    begun = await view_prompt_number(request.ports, visit_of(request))
    return Page(body=msgspec.json.encode(news_of(begun[1] if begun else None)), media_type="application/json")
