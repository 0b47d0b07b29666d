"""The hosted prompt's pages. A GET shows where the sign-in stands; only a POST acts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from nightlatch.app.prompt.leave import cancel_prompt, leave_prompt, skip_setup
from nightlatch.app.prompt.number import view_prompt_number
from nightlatch.app.prompt.open import open_prompt
from nightlatch.app.prompt.push import view_pairing, view_push
from nightlatch.app.prompt.session import Visit
from nightlatch.app.prompt.setup import begin_setup, codes_saved, finish_setup
from nightlatch.app.prompt.stop import stop_setup
from nightlatch.app.prompt.text import view_sent
from nightlatch.app.prompt.view import (
    PromptView,
    Stage,
    view_codes,
    view_enrollment,
    view_prompt,
)
from nightlatch.app.ways import Way
from nightlatch.domain.errors import Conflict, NotFound
from nightlatch.domain.factors.base import FactorKind
from nightlatch.web.pages.prompt.session import bound, first_way, no_remembered_way, secret_of, unbound, visit_of
from nightlatch.web.pages.prompt.words import LOGIN, days, days_left, over_words, purpose_words
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, codes_file, csrf_token, go
from nightlatch.web.pages.shared.texts import text_notice
from nightlatch.web.pages.shared.words import NOT_SAVED, refusal_words, shown

routes = PageRoutes()

MAX_CODE = 128


@routes.get("/prompt/{authentication}")
async def prompt(request: PageRequest) -> Page:
    """Where the sign-in stands; with a ticket, the first opening."""
    visit = visit_of(request)
    ticket = request.query.get("ticket")
    if ticket is not None:
        if request.only_looking:
            # The ticket works once; a preview must not use it up before the person comes.
            return Page(status=204)
        secret = await open_prompt(request.ports, visit, ticket, request.peer)
        return go(base_of(visit), bound(request, visit, secret))
    return await shown_stage(request, visit, await view_prompt(request.ports, visit))


@routes.get("/prompt/{authentication}/code")
async def code(request: PageRequest) -> Page:
    """The field for a code of one way."""
    visit = visit_of(request)
    view = await view_prompt(request.ports, visit)
    if view.stage is not Stage.CHALLENGE:
        return go(base_of(visit))
    wanted = request.query.get("way")
    way = next((way for way in view.ways if way.id == wanted), None)
    if way is None:
        return go(f"{base_of(visit)}/ways")
    return await code_page(request, visit, view, way)


@routes.get("/prompt/{authentication}/ways")
async def ways(request: PageRequest) -> Page:
    """All ways to choose from."""
    return await _choice(request, "prompt/choose.html")


@routes.get("/prompt/{authentication}/lost")
async def lost(request: PageRequest) -> Page:
    """For who has lost their phone."""
    return await _choice(request, "prompt/lost.html")


@routes.get("/prompt/{authentication}/help")
async def help_(request: PageRequest) -> Page:
    """For who has nothing left."""
    return await _choice(request, "prompt/help.html")


@routes.post("/prompt/{authentication}/setup")
async def setup(request: PageRequest) -> Page:
    """Begin to set up an app, or a phone; ``anew`` drops what was begun before."""
    visit = visit_of(request)
    form = await request.form(visit.secret)
    if form.get("anew") == "yes":
        await stop_setup(request.ports, visit)
    try:
        await begin_setup(request.ports, visit, FactorKind.PUSH if form.get("kind") == "phone" else FactorKind.TOTP)
    except Conflict as conflict:
        if conflict.code == "confirmation_required":
            raise
        # Decided meanwhile, in another tab or by time: the prompt shows how.
    return go(base_of(visit))


@routes.post("/prompt/{authentication}/setup/code")
async def setup_code(request: PageRequest) -> Page:
    """Turn the app on by a code of it."""
    visit = visit_of(request)
    form = await request.form(visit.secret)
    try:
        done = await finish_setup(request.ports, visit, form.get("code", "")[:MAX_CODE])
    except Conflict:
        return go(base_of(visit))
    if done.rejection is None:
        return go(base_of(visit), no_remembered_way(request))
    said = "busy" if done.rejection == "throttled" else done.rejection
    return go(f"{base_of(visit)}?said={said}")


@routes.get("/prompt/{authentication}/backup-codes.txt")
async def download(request: PageRequest) -> Page:
    """The new backup codes as a file."""
    visit = visit_of(request)
    view = await view_prompt(request.ports, visit)
    codes = await view_codes(request.ports, visit)
    if not codes:
        raise NotFound
    return codes_file(request.site.settings.brand.name, codes, view.application)


@routes.post("/prompt/{authentication}/saved")
async def saved(request: PageRequest) -> Page:
    """The person has saved the codes."""
    visit = visit_of(request)
    form = await request.form(visit.secret)
    if form.get("saved") != "yes":
        return go(f"{base_of(visit)}?said=not_saved")
    await codes_saved(request.ports, visit)
    return go(base_of(visit))


@routes.post("/prompt/{authentication}/skip")
async def skip(request: PageRequest) -> Page:
    """Not now."""
    visit = visit_of(request)
    await request.form(visit.secret)
    try:
        await skip_setup(request.ports, visit)
    except Conflict:
        return go(base_of(visit))
    return await depart(request, visit)


@routes.post("/prompt/{authentication}/cancel")
async def cancel(request: PageRequest) -> Page:
    """Give up, or go back from what is over."""
    visit = visit_of(request)
    await request.form(visit.secret)
    try:
        return go(await cancel_prompt(request.ports, visit), unbound(request, visit))
    except Conflict:
        return go(base_of(visit))


@routes.post("/prompt/{authentication}/continue")
async def continue_(request: PageRequest) -> Page:
    """On to the application."""
    visit = visit_of(request)
    await request.form(visit.secret)
    return await depart(request, visit)


async def depart(request: PageRequest, visit: Visit, *cookies: str) -> Page:
    """Back to the application with a result code. The cookie stays: the code may get lost on the way."""
    try:
        return go(await leave_prompt(request.ports, visit), *cookies)
    except Conflict:
        return go(base_of(visit), *cookies)


async def shown_stage(request: PageRequest, visit: Visit, view: PromptView) -> Page:
    """The page of a stage."""
    said = request.query.get("said")
    if view.stage is Stage.CHALLENGE:
        return await code_page(request, visit, view, first_way(request, view.ways))
    if view.stage is Stage.SETUP:
        pairing = await view_pairing(request.ports, visit)
        if pairing is not None:
            return screen(request, visit, view, "prompt/setup_phone.html", pairing=pairing, again=said == "again")
        enrollment = await view_enrollment(request.ports, visit)
        may_push = FactorKind.PUSH in view.allowed_kinds
        error = refusal_words(said, FactorKind.TOTP)
        return screen(request, visit, view, "prompt/setup.html", enrollment=enrollment, error=error, may_push=may_push)
    if view.stage is Stage.NUMBER:
        return await number_page(request, visit, view)
    if view.stage is Stage.BACKUP_CODES:
        codes = await view_codes(request.ports, visit)
        error = NOT_SAVED if said == "not_saved" else None
        return screen(request, visit, view, "prompt/backup_codes.html", codes=codes, error=error)
    if view.stage is Stage.GRACE and view.grace_ends_at is not None:
        left = days_left(view.grace_ends_at, view.now)
        return screen(request, visit, view, "prompt/grace.html", deadline=view.grace_ends_at, days_left=left)
    if view.stage in (Stage.OVER, Stage.EXPIRED):
        heading, words = over_words(view)
        return screen(request, visit, view, "prompt/over.html", heading=heading, words=words)
    return screen(request, visit, view, _PLAIN[view.stage])


async def number_page(request: PageRequest, visit: Visit, view: PromptView) -> Page:
    """The field for the code that turns a number on."""
    said = request.query.get("said")
    hint, text = await view_prompt_number(request.ports, visit) or ("", None)
    error = refusal_words("busy" if said == "throttled" else said, FactorKind.SMS)
    told = {"hint": hint, "text": text, "not_sent": said == "not_sent", "notice": text_notice(said)}
    return screen(request, visit, view, "prompt/number_code.html", error=error, **told)


_PLAIN = {
    Stage.BETTER: "prompt/better.html",
    Stage.START: "prompt/start.html",
    Stage.GRACE: "prompt/start.html",
    Stage.ALL_SET: "prompt/all_set.html",
    Stage.LEAVE: "prompt/leave.html",
    Stage.REFUSED: "prompt/refused.html",
}


async def code_page(request: PageRequest, visit: Visit, view: PromptView, way: Way) -> Page:
    """The field for a code, or until when it is paused."""
    if way.stopped or way.paused_until is not None:
        return screen(request, visit, view, "prompt/paused.html", way=shown(way), until=way.paused_until)
    said = request.query.get("said")
    error = refusal_words(said, way.kind)
    remember = days(view.remember_for) if view.remember_for and view.action == LOGIN else None
    if way.kind is FactorKind.PUSH:
        return await push_page(request, visit, view, way, remember)
    if way.kind is FactorKind.SMS:
        text = await view_sent(request.ports, visit, way.id)
        told = {"text": text, "not_sent": said == "not_sent", "notice": text_notice(said)}
        return screen(
            request, visit, view, "prompt/text.html", way=shown(way), error=error, remember_days=remember, **told
        )
    several = sum(1 for other in view.ways if other.kind is way.kind) > 1
    return screen(
        request, visit, view, "prompt/code.html", way=shown(way), error=error, remember_days=remember, several=several
    )


async def push_page(request: PageRequest, visit: Visit, view: PromptView, way: Way, remember: int | None) -> Page:
    """Before a phone is asked; while it is, the page with the number."""
    push = await view_push(request.ports, visit)
    said = request.query.get("said")
    if said is None and push is not None and push.factor_id == way.id and push.state == "waiting":
        return go(f"{base_of(visit)}/push")
    return screen(request, visit, view, "prompt/push_ask.html", way=shown(way), remember_days=remember, said=said)


def screen(request: PageRequest, visit: Visit, view: PromptView, name: str, **values: Any) -> Page:
    """One screen of the prompt. Its forms may lead back to the application and nowhere else."""
    return request.site.page(
        name,
        form_action=(origin_of(view.return_url),),
        base=base_of(visit),
        csrf=csrf_token(secret_of(visit)),
        app=view.application,
        login=view.action == LOGIN,
        purpose=purpose_words(view),
        org=request.site.settings.brand.name,
        ways=[shown(way) for way in view.ways],
        other_ways=len(view.ways) > 1,
        may_text=view.may_text,
        by_text=view.by_text,
        by_phone=view.by_phone,
        **values,
    )


def base_of(visit: Visit) -> str:
    """The prompt's own address, without any secret."""
    return f"/prompt/{visit.authentication_id}"


def origin_of(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _choice(request: PageRequest, name: str) -> Page:
    visit = visit_of(request)
    view = await view_prompt(request.ports, visit)
    if view.stage is not Stage.CHALLENGE:
        return go(base_of(visit))
    return screen(request, visit, view, name)
