"""Phones on a person's own page: set one up, and prove who is here by one."""

from __future__ import annotations

from nightlatch.app.portal.changes import begin_phone, begun_factor, stop_app, turn_on
from nightlatch.app.portal.prove import proving_ways
from nightlatch.app.portal.push import finish_push, start_push, view_pairing, view_push
from nightlatch.app.portal.session import enter
from nightlatch.app.push.caller import page_key, pairing_key
from nightlatch.domain.errors import Conflict, Invalid, StepUpRequired, Throttled
from nightlatch.domain.factors.base import FactorKind
from nightlatch.web.pages.portal.pages import HOME, MAX_FIELD, screen, session_cookie, session_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, go
from nightlatch.web.pages.shared.waiting import news
from nightlatch.web.pages.shared.words import shown

routes = PageRoutes()

PROVE = "/portal/prove"
PHONE = "/portal/phone"
PUSH = "/portal/prove/push"
OVER = "over"


@routes.post(PHONE)
async def begin(request: PageRequest) -> Page:
    """Begin to set up a phone; ``anew`` drops what was begun before, and so does having begun something else."""
    token = session_of(request)
    form = await request.form(token)
    room = await enter(request.ports, token)
    begun = begun_factor(room, request.ports.clock.now())
    if begun is not None and (begun.kind is not FactorKind.PUSH or form.get("anew") == "yes"):
        await stop_app(request.ports, token)
    try:
        await begin_phone(request.ports, token)
    except StepUpRequired:
        return go(PROVE)
    return go(PHONE)


@routes.get(PHONE)
async def phone(request: PageRequest) -> Page:
    """The picture and the number, and how far the phone is."""
    room = await enter(request.ports, session_of(request))
    pairing = view_pairing(request.ports, room)
    if pairing is None:
        return go(HOME)
    return screen(request, "portal/phone.html", pairing=pairing, again="said" in request.query)


@routes.get("/portal/phone/news")
async def phone_news(request: PageRequest) -> Page:
    """What the phone does, for the script of that page."""
    token = session_of(request)
    begun = (await enter(request.ports, token)).begun or ""

    async def look() -> str:
        pairing = view_pairing(request.ports, await enter(request.ports, token))
        return OVER if pairing is None else pairing.state

    return await news(request, pairing_key(begun), look, request.query.get("known", ""))


@routes.post("/portal/phone/on")
async def turn_phone_on(request: PageRequest) -> Page:
    """Turn the phone on that has answered."""
    token = session_of(request)
    await request.form(token)
    try:
        done = await turn_on(request.ports, token, None, "")
    except StepUpRequired:
        return go(PROVE)
    except (Conflict, Invalid):
        return go(f"{PHONE}?said=again")
    return go(f"{PHONE}?said=again" if done.session is None else f"{HOME}?said=on", *_cookies(request, done.session))


@routes.post(PUSH)
async def ask(request: PageRequest) -> Page:
    """Ask a phone to prove who is here."""
    token = session_of(request)
    form = await request.form(token)
    way_id = form.get("way", "")[:MAX_FIELD]
    try:
        await start_push(request.ports, token, factor_id=way_id)
    except Throttled:
        return go(f"{PROVE}?way={way_id}&said=often")
    except Conflict:
        return go(f"{PROVE}?way={way_id}&said=blocked")
    except Invalid:
        return go(PROVE)
    return go(PUSH)


@routes.get(PUSH)
async def pushed(request: PageRequest) -> Page:
    """The number, and how it stands."""
    token = session_of(request)
    room = await enter(request.ports, token)
    push = await view_push(request.ports, token)
    way = next(
        (w for w in await proving_ways(request.ports, room) if push is not None and w.id == push.factor_id), None
    )
    if push is None or way is None:
        return go(PROVE)
    return screen(request, "portal/push.html", push=push, way=shown(way), again="said" in request.query)


@routes.get(f"{PUSH}/news")
async def push_news(request: PageRequest) -> Page:
    """The phone's answer, for the script of that page."""
    token = session_of(request)
    push = await view_push(request.ports, token)

    async def look() -> str:
        now = await view_push(request.ports, token)
        return OVER if now is None else now.state

    return await news(request, page_key(push.challenge_id if push else ""), look, "waiting")


@routes.post(f"{PUSH}/done")
async def finish(request: PageRequest) -> Page:
    """Fetch what the phone approved: changes are open for five minutes, under a new session."""
    token = session_of(request)
    await request.form(token)
    try:
        proved = await finish_push(request.ports, token, peer=request.peer)
    except (Conflict, Invalid):
        return go(f"{PUSH}?said=again")
    return go(f"{HOME}?said=proved", *_cookies(request, proved.session))


def _cookies(request: PageRequest, session: str | None) -> tuple[str, ...]:
    return () if session is None else (session_cookie(request, session),)
