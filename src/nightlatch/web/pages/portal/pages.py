"""A person's own page. Links show; only forms act (X7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nightlatch.app.portal.prove import prove, proving_ways
from nightlatch.app.portal.session import SESSION_LIFE, LinkDead, enter, redeem_link, sign_out
from nightlatch.app.portal.text import may_text, view_proof
from nightlatch.app.portal.view import BrowserSeen, view_codes, view_portal
from nightlatch.app.tickets import TOKEN_BYTES
from nightlatch.domain.agents import browser_words
from nightlatch.domain.crypto.tokens import ticket_token
from nightlatch.domain.errors import NotFound
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.time import SECOND
from nightlatch.web.pages.portal.words import SAID, phone_notes, sign_in_item, way_item
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, authenticator_address, csrf_token, go
from nightlatch.web.pages.shared.texts import text_notice
from nightlatch.web.pages.shared.words import refusal_words, shown

routes = PageRoutes()

SESSION = "nightlatch-portal"
BEFORE = "nightlatch-portal-link"
"""Binds the form of the welcome page to the browser that it was shown in."""

MAX_FIELD = 128
HOME = "/portal"


@dataclass(frozen=True, slots=True)
class BrowserItem:
    """A browser in the list."""

    id: str
    words: str
    application: str
    remembered: bool
    seen_at: int


@routes.get("/portal")
async def home(request: PageRequest) -> Page:
    """All that a person has here; with a ticket, the page with the button that opens it."""
    ticket = request.query.get("ticket")
    if ticket is not None:
        return _welcome(request, ticket)
    room = await enter(request.ports, session_of(request))
    if view_codes(request.ports, room):
        return go("/portal/codes")
    view = await view_portal(request.ports, room)
    return screen(
        request,
        "portal/home.html",
        view=view,
        may_text=await may_text(request.ports, room),
        said=SAID.get(request.query.get("said", "")),
        locked=bool(view.ways) and view.changes_until is None,
        ways=[way_item(kept) for kept in view.ways],
        notes=phone_notes(room),
        authenticator=authenticator_address(request),
        browsers=[_browser_item(browser) for browser in view.browsers],
        sign_ins=[sign_in_item(one) for one in view.sign_ins],
    )


@routes.post("/portal/open")
async def open_(request: PageRequest) -> Page:
    """Redeem the link: a new session, in this browser alone."""
    form = await request.form(request.cookie(BEFORE))
    token = await redeem_link(request.ports, form.get("ticket", "")[:MAX_FIELD], request.peer)
    await sign_out(request.ports, session_of(request))
    return go(HOME, session_cookie(request, token), request.site.cookies.clear(BEFORE))


@routes.get("/portal/prove")
async def proof(request: PageRequest) -> Page:
    """The field for the code that proves who is here."""
    room = await enter(request.ports, session_of(request))
    ways = await proving_ways(request.ports, room)
    if not ways:
        return go(HOME)
    wanted = request.query.get("way")
    way = next((way for way in ways if way.id == wanted), ways[0])
    said = request.query.get("said")
    values: dict[str, Any] = {
        "way": shown(way),
        "others": [shown(other) for other in ways if other.id != way.id],
        "error": refusal_words(said, way.kind),
    }
    if way.kind is FactorKind.PUSH and not way.stopped and way.paused_until is None:
        return screen(request, "portal/prove_push.html", said=said, **values)
    if way.kind is not FactorKind.SMS:
        return screen(request, "portal/prove.html", **values)
    text = await view_proof(request.ports, room, way.id)
    notice = text_notice(said)
    return screen(request, "portal/prove_text.html", text=text, not_sent=said == "not_sent", notice=notice, **values)


@routes.post("/portal/prove")
async def prove_(request: PageRequest) -> Page:
    """Judge the code; a right one opens changes for five minutes, under a new session."""
    token = session_of(request)
    form = await request.form(token)
    way_id = form.get("way", "")[:MAX_FIELD]
    proved = await prove(
        request.ports, token, factor_id=way_id, code=form.get("code", "")[:MAX_FIELD], peer=request.peer
    )
    if proved.session is not None:
        return go(f"{HOME}?said=proved", session_cookie(request, proved.session))
    return go(f"/portal/prove?way={way_id}&said={proved.judged.rejection}")


@routes.post("/portal/leave")
async def leave(request: PageRequest) -> Page:
    """Close the page."""
    token = session_of(request)
    await request.form(token)
    await sign_out(request.ports, token)
    return go("/portal/closed", request.site.cookies.clear(SESSION))


@routes.get("/portal/closed")
async def closed(request: PageRequest) -> Page:
    """After closing."""
    return request.site.page("portal/left.html")


def screen(request: PageRequest, name: str, **values: Any) -> Page:
    """One screen of a session."""
    secret = session_of(request) or ""
    return request.site.page(name, csrf=csrf_token(secret), org=request.site.settings.brand.name, **values)


def session_of(request: PageRequest) -> str | None:
    """The session's token."""
    return request.cookie(SESSION)


def session_cookie(request: PageRequest, token: str) -> str:
    """The cookie of a session."""
    return request.site.cookies.set(SESSION, token, max_age=SESSION_LIFE // SECOND)


def _welcome(request: PageRequest, ticket: str) -> Page:
    if not 0 < len(ticket) <= MAX_FIELD:
        raise LinkDead
    before = request.cookie(BEFORE) or ticket_token(request.ports.entropy.bytes(TOKEN_BYTES))
    return request.site.page(
        "portal/welcome.html",
        csrf=csrf_token(before),
        ticket=ticket,
        cookies=(request.site.cookies.set(BEFORE, before),),
    )


def _browser_item(browser: BrowserSeen) -> BrowserItem:
    return BrowserItem(
        browser.id, browser_words(browser.user_agent), browser.application, browser.remembered, browser.seen_at
    )


def required_way(room_ways: tuple[Any, ...], factor_id: str) -> Any:
    """The way of this id. Raises ``NotFound``."""
    found = next((kept for kept in room_ways if kept.way.id == factor_id), None)
    if found is None:
        raise NotFound
    return found
