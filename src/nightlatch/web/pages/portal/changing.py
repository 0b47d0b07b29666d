"""The forms by which a person changes how they sign in."""

from __future__ import annotations

from nightlatch.app.devices import revoke_device
from nightlatch.app.portal.changes import (
    begin_app,
    codes_saved,
    forget_browsers,
    new_codes,
    remove,
    rename,
    stop_app,
    turn_on,
)
from nightlatch.app.portal.push import view_pairing
from nightlatch.app.portal.session import enter
from nightlatch.app.portal.view import view_codes, view_enrollment, view_portal
from nightlatch.domain.errors import Invalid, NotFound, StepUpRequired
from nightlatch.domain.factors.base import FactorKind
from nightlatch.web.pages.portal.pages import HOME, MAX_FIELD, required_way, screen, session_cookie, session_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, codes_file, go
from nightlatch.web.pages.shared.words import NOT_SAVED, refusal_words, shown

routes = PageRoutes()

PROVE = "/portal/prove"
BAD_NAME = "Use up to 60 letters, digits and signs."


@routes.post("/portal/setup")
async def begin(request: PageRequest) -> Page:
    """Begin to set up an app."""
    token = session_of(request)
    await request.form(token)
    if view_pairing(request.ports, await enter(request.ports, token)) is not None:
        await stop_app(request.ports, token)
    try:
        await begin_app(request.ports, token)
    except StepUpRequired:
        return go(PROVE)
    return go("/portal/setup")


@routes.get("/portal/setup")
async def setup(request: PageRequest) -> Page:
    """The picture to scan."""
    room = await enter(request.ports, session_of(request))
    if view_pairing(request.ports, room) is not None:
        return go("/portal/phone")
    enrollment = view_enrollment(request.ports, room)
    if enrollment is None:
        return go(HOME)
    said = request.query.get("said")
    error = refusal_words("busy" if said == "throttled" else said, FactorKind.TOTP)
    return screen(request, "portal/setup.html", enrollment=enrollment, error=error)


@routes.post("/portal/setup/code")
async def turn_on_(request: PageRequest) -> Page:
    """Turn the app on."""
    token = session_of(request)
    form = await request.form(token)
    try:
        done = await turn_on(request.ports, token, form.get("code", "")[:MAX_FIELD], form.get("label", "")[:MAX_FIELD])
    except StepUpRequired:
        return go(PROVE)
    if done.session is None:
        return go(f"/portal/setup?said={done.rejection}")
    return go(f"{HOME}?said=on", session_cookie(request, done.session))


@routes.post("/portal/setup/stop")
async def stop(request: PageRequest) -> Page:
    """Rather not."""
    token = session_of(request)
    await request.form(token)
    await stop_app(request.ports, token)
    return go(HOME)


@routes.get("/portal/ways/{factor}")
async def way(request: PageRequest) -> Page:
    """One way, to name or remove."""
    room = await enter(request.ports, session_of(request))
    view = await view_portal(request.ports, room)
    kept = required_way(view.ways, request.part("factor"))
    others = [w for w in view.ways if w.way.id != kept.way.id and w.way.kind is not FactorKind.BACKUP_CODES]
    error = BAD_NAME if request.query.get("said") == "bad_name" else None
    return screen(request, "portal/way.html", way=shown(kept.way), only=not others, error=error)


@routes.post("/portal/ways/{factor}/name")
async def name(request: PageRequest) -> Page:
    """Another name for a way."""
    token = session_of(request)
    form = await request.form(token)
    factor_id = request.part("factor")
    try:
        await rename(request.ports, token, factor_id, form.get("label", "")[:MAX_FIELD])
    except Invalid:
        return go(f"/portal/ways/{factor_id}?said=bad_name")
    return go(f"{HOME}?said=renamed")


@routes.post("/portal/ways/{factor}/remove")
async def remove_(request: PageRequest) -> Page:
    """Remove a way."""
    token = session_of(request)
    await request.form(token)
    try:
        await remove(request.ports, token, request.part("factor"))
    except StepUpRequired:
        return go(PROVE)
    return go(f"{HOME}?said=removed")


@routes.post("/portal/codes")
async def new_codes_(request: PageRequest) -> Page:
    """New backup codes."""
    token = session_of(request)
    await request.form(token)
    try:
        await new_codes(request.ports, token)
    except StepUpRequired:
        return go(PROVE)
    return go("/portal/codes")


@routes.get("/portal/codes")
async def codes(request: PageRequest) -> Page:
    """New codes until they are saved."""
    room = await enter(request.ports, session_of(request))
    shown_codes = view_codes(request.ports, room)
    if not shown_codes:
        return go(HOME)
    error = NOT_SAVED if request.query.get("said") == "not_saved" else None
    return screen(request, "portal/codes.html", codes=shown_codes, error=error)


@routes.get("/portal/backup-codes.txt")
async def download(request: PageRequest) -> Page:
    """New codes as a file."""
    room = await enter(request.ports, session_of(request))
    shown_codes = view_codes(request.ports, room)
    if not shown_codes:
        raise NotFound
    return codes_file(request.site.settings.brand.name, shown_codes)


@routes.post("/portal/codes/saved")
async def saved(request: PageRequest) -> Page:
    """The codes are saved."""
    token = session_of(request)
    form = await request.form(token)
    if form.get("saved") != "yes":
        return go("/portal/codes?said=not_saved")
    await codes_saved(request.ports, token)
    return go(f"{HOME}?said=saved")


@routes.post("/portal/browsers/forget")
async def forget_all(request: PageRequest) -> Page:
    """Forget every browser. It only ever asks for more proof, so it needs none."""
    token = session_of(request)
    await request.form(token)
    await forget_browsers(request.ports, token)
    return go(f"{HOME}?said=forgotten")


@routes.post("/portal/browsers/{device}/forget")
async def forget(request: PageRequest) -> Page:
    """Forget one browser."""
    token = session_of(request)
    await request.form(token)
    room = await enter(request.ports, token)
    try:
        await revoke_device(request.ports, room.caller, room.user.id, request.part("device"))
    except NotFound:
        return go(HOME)
    return go(f"{HOME}?said=forgotten")
