"""Texts on a person's own page: to prove who they are, and to set a number up."""

from __future__ import annotations

import msgspec

from nightlatch.app.portal.changes import turn_on
from nightlatch.app.portal.session import enter
from nightlatch.app.portal.text import (
    begin_text_number,
    may_text,
    number_again,
    send_proof,
    view_number,
    view_proof,
)
from nightlatch.domain.errors import Conflict, Invalid, StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.sms import RISK_NOTICE
from nightlatch.web.pages.portal.pages import HOME, MAX_FIELD, screen, session_cookie, session_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, go
from nightlatch.web.pages.shared.texts import NOT_TEXTED, news_of, number_words, refused_text, text_notice
from nightlatch.web.pages.shared.words import refusal_words

routes = PageRoutes()

PROVE = "/portal/prove"
NUMBER = "/portal/number"
CODE = "/portal/number/code"


@routes.post("/portal/text")
async def prove_by_text(request: PageRequest) -> Page:
    """Send a code that proves who is here."""
    token = session_of(request)
    form = await request.form(token)
    way_id = form.get("way", "")[:MAX_FIELD]
    try:
        await send_proof(request.ports, token, way_id)
    except NOT_TEXTED as refusal:
        return go(f"{PROVE}?way={way_id}&said={refused_text(refusal)}")
    return go(f"{PROVE}?way={way_id}")


@routes.get("/portal/text")
async def proof_news(request: PageRequest) -> Page:
    """Whether that text could be sent."""
    room = await enter(request.ports, session_of(request))
    sent = await view_proof(request.ports, room, request.query.get("way", "")[:MAX_FIELD])
    return Page(body=msgspec.json.encode(news_of(sent)), media_type="application/json")


@routes.get(NUMBER)
async def number(request: PageRequest) -> Page:
    """The field for a number, and what must be known of texts."""
    room = await enter(request.ports, session_of(request))
    if not await may_text(request.ports, room):
        return go(HOME)
    said = request.query.get("said")
    return screen(
        request, "portal/number.html", error=number_words(said), not_sent=said == "not_sent", notice=RISK_NOTICE
    )


@routes.post(NUMBER)
async def begin(request: PageRequest) -> Page:
    """Send a number its first code."""
    token = session_of(request)
    form = await request.form(token)
    try:
        await begin_text_number(request.ports, token, form.get("phone", "")[:MAX_FIELD])
    except StepUpRequired:
        return go(PROVE)
    except Invalid as refusal:
        return go(f"{NUMBER}?said={refusal.fields[0].code if refusal.fields else 'invalid_phone'}")
    except NOT_TEXTED as refusal:
        said = refusal.code if refusal.code == "number_in_use" else refused_text(refusal)
        return go(f"{NUMBER}?said={said}")
    return go(CODE)


@routes.get(CODE)
async def code(request: PageRequest) -> Page:
    """The field for the code."""
    room = await enter(request.ports, session_of(request))
    begun = await view_number(request.ports, room)
    if begun is None:
        return go(HOME)
    hint, text = begun
    said = request.query.get("said")
    error = refusal_words("busy" if said == "throttled" else said, FactorKind.SMS)
    return screen(
        request,
        "portal/number_code.html",
        hint=hint,
        text=text,
        error=error,
        not_sent=said == "not_sent",
        notice=text_notice(said),
    )


@routes.post(CODE)
async def turn_number_on(request: PageRequest) -> Page:
    """Turn the number on by its code."""
    token = session_of(request)
    form = await request.form(token)
    try:
        done = await turn_on(request.ports, token, form.get("code", "")[:MAX_FIELD], form.get("label", "")[:MAX_FIELD])
    except StepUpRequired:
        return go(PROVE)
    except Conflict:
        return go(HOME)
    if done.session is None:
        return go(f"{CODE}?said={done.rejection}")
    return go(f"{HOME}?said=on", session_cookie(request, done.session))


@routes.post("/portal/number/again")
async def again(request: PageRequest) -> Page:
    """Send it another code."""
    token = session_of(request)
    await request.form(token)
    try:
        await number_again(request.ports, token)
    except NOT_TEXTED as refusal:
        return go(f"{CODE}?said={refused_text(refusal)}")
    return go(CODE)


@routes.get("/portal/number/news")
async def number_news(request: PageRequest) -> Page:
    """Whether its text could be sent."""
    room = await enter(request.ports, session_of(request))
    begun = await view_number(request.ports, room)
    return Page(body=msgspec.json.encode(news_of(begun[1] if begun else None)), media_type="application/json")
