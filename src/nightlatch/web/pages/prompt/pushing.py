"""Approving on a phone: ask it, show the number, and wait for its answer."""

from __future__ import annotations

from nightlatch.app.attempt import wake_key
from nightlatch.app.prompt.push import PushView, start_push, view_pairing, view_push
from nightlatch.app.prompt.session import BEGUN, take_seat
from nightlatch.app.prompt.setup import finish_setup
from nightlatch.app.prompt.stop import stop_setup
from nightlatch.app.prompt.view import PromptView, Stage, view_prompt
from nightlatch.app.push.caller import pairing_key
from nightlatch.app.ways import Way
from nightlatch.domain.errors import Conflict, Invalid, Throttled
from nightlatch.web.pages.prompt.pages import MAX_CODE, base_of, screen
from nightlatch.web.pages.prompt.session import remembered_way, visit_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, authenticator_address, go
from nightlatch.web.pages.shared.waiting import news
from nightlatch.web.pages.shared.words import shown

routes = PageRoutes()

OVER = "over"


@routes.post("/prompt/{authentication}/push")
async def ask(request: PageRequest) -> Page:
    """Ask a phone."""
    visit = visit_of(request)
    form = await request.form(visit.secret)
    way_id, remember = form.get("way", "")[:MAX_CODE], form.get("remember") == "yes"
    try:
        await start_push(request.ports, visit, factor_id=way_id, remember=remember)
    except Throttled:
        return go(f"{base_of(visit)}/code?way={way_id}&said=often")
    except Conflict as conflict:
        if conflict.code == "push_locked":
            return go(f"{base_of(visit)}/code?way={way_id}&said=blocked")
        return go(base_of(visit))
    except Invalid:
        return go(f"{base_of(visit)}/ways")
    return go(f"{base_of(visit)}/push" + ("?remember=yes" if remember else ""), remembered_way(request, way_id))


@routes.get("/prompt/{authentication}/push")
async def pushed(request: PageRequest) -> Page:
    """The number, and how it stands."""
    visit = visit_of(request)
    view = await view_prompt(request.ports, visit)
    push = await view_push(request.ports, visit)
    way = _phone(view, push)
    if view.stage is not Stage.CHALLENGE or push is None or way is None:
        return go(base_of(visit))
    return screen(
        request,
        visit,
        view,
        "prompt/push.html",
        way=shown(way),
        push=push,
        authenticator=authenticator_address(request),
        remember=request.query.get("remember") == "yes",
    )


@routes.get("/prompt/{authentication}/push/news")
async def push_news(request: PageRequest) -> Page:
    """The phone's answer, for the script of that page."""
    visit = visit_of(request)

    async def look() -> str:
        view = await view_prompt(request.ports, visit)
        if view.stage is not Stage.CHALLENGE:
            return "approved" if view.stage is Stage.LEAVE else OVER
        push = await view_push(request.ports, visit)
        return OVER if push is None else push.state

    return await news(request, wake_key(visit.authentication_id), look, "waiting")


@routes.get("/prompt/{authentication}/setup/news")
async def setup_news(request: PageRequest) -> Page:
    """What the phone does that is being set up."""
    visit = visit_of(request)
    begun = (await take_seat(request.ports, visit)).ticket.data.get(BEGUN, "")

    async def look() -> str:
        pairing = await view_pairing(request.ports, visit)
        return OVER if pairing is None else pairing.state

    return await news(request, pairing_key(begun), look, request.query.get("known", ""))


@routes.post("/prompt/{authentication}/setup/phone")
async def turn_phone_on(request: PageRequest) -> Page:
    """Turn the phone on that has answered."""
    visit = visit_of(request)
    await request.form(visit.secret)
    try:
        await finish_setup(request.ports, visit, None)
    except (Conflict, Invalid):
        # It has not answered yet, or wrongly; the page shows which.
        return go(f"{base_of(visit)}?said=again")
    return go(base_of(visit))


@routes.post("/prompt/{authentication}/setup/stop")
async def stop(request: PageRequest) -> Page:
    """Rather something else."""
    visit = visit_of(request)
    await request.form(visit.secret)
    await stop_setup(request.ports, visit)
    return go(base_of(visit))


def _phone(view: PromptView, push: PushView | None) -> Way | None:
    return next((way for way in view.ways if push is not None and way.id == push.factor_id), None)
