"""The pages of mailed links. A link shows a page, the same for every token; only its button acts (X7).

Mail scanners open links, and whoever guesses one learns nothing: neither page says whose it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nightlatch.app.context import Ports
from nightlatch.app.notices.links import MailLinkDead, confirm_address, object_to_way
from nightlatch.app.tickets import TOKEN_BYTES
from nightlatch.domain.crypto.tokens import ticket_token
from nightlatch.web.common.problems import status_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, csrf_token

routes = PageRoutes()

BEFORE = "nightlatch-mail-link"
"""Binds the form to the browser that it was shown in."""

MAX_FIELD = 128

Act = Callable[[Ports, str, str], Awaitable[None]]


@routes.get("/mail/confirm")
async def confirm(request: PageRequest) -> Page:
    """Asks whether the address is theirs."""
    return _asked(request, "mail/confirm.html")


@routes.post("/mail/confirm")
async def confirm_(request: PageRequest) -> Page:
    """The address is verified."""
    return await _acted(request, confirm_address, "mail/confirmed.html")


@routes.get("/mail/object")
async def object_(request: PageRequest) -> Page:
    """Asks whether to remove what the mail told of."""
    return _asked(request, "mail/object.html")


@routes.post("/mail/object")
async def object_to(request: PageRequest) -> Page:
    """It is removed."""
    return await _acted(request, object_to_way, "mail/removed.html")


def _asked(request: PageRequest, name: str) -> Page:
    ticket = request.query.get("ticket", "")
    if not 0 < len(ticket) <= MAX_FIELD:
        return _dead(request)
    before = request.cookie(BEFORE) or ticket_token(request.ports.entropy.bytes(TOKEN_BYTES))
    return request.site.page(
        name,
        csrf=csrf_token(before),
        ticket=ticket,
        org=request.site.settings.brand.name,
        cookies=(request.site.cookies.set(BEFORE, before),),
    )


async def _acted(request: PageRequest, act: Act, name: str) -> Page:
    form = await request.form(request.cookie(BEFORE))
    try:
        await act(request.ports, form.get("ticket", "")[:MAX_FIELD], request.peer)
    except MailLinkDead:
        return _dead(request)
    return request.site.page(name, org=request.site.settings.brand.name, cookies=(request.site.cookies.clear(BEFORE),))


def _dead(request: PageRequest) -> Page:
    return request.site.page("mail/dead.html", status=status_of(MailLinkDead), org=request.site.settings.brand.name)
