"""The prompt's cookies: whose prompt it is, and which way was used last in this browser."""

from __future__ import annotations

from collections.abc import Sequence

from nightlatch.app.prompt.session import SESSION_LIFE, Elsewhere, Visit
from nightlatch.app.ways import Way
from nightlatch.domain.ids import FACTOR, is_id
from nightlatch.domain.time import SECOND
from nightlatch.web.pages.shared.pages import PageRequest

LAST_WAY = "nightlatch-way"
LAST_WAY_SECONDS = 180 * 24 * 3600


def visit_of(request: PageRequest) -> Visit:
    """The browser at this prompt."""
    authentication_id = request.part("authentication")
    return Visit(authentication_id, request.cookie(_name(authentication_id)))


def secret_of(visit: Visit) -> str:
    """The secret of a visit that was let in."""
    if visit.secret is None:
        raise Elsewhere
    return visit.secret


def bound(request: PageRequest, visit: Visit, secret: str) -> str:
    """The cookie that makes this browser the prompt's own."""
    return request.site.cookies.set(_name(visit.authentication_id), secret, max_age=SESSION_LIFE // SECOND)


def unbound(request: PageRequest, visit: Visit) -> str:
    """The prompt is over; its cookie goes."""
    return request.site.cookies.clear(_name(visit.authentication_id))


def remembered_way(request: PageRequest, way_id: str) -> str:
    """The cookie that opens the next prompt on this way. An id grants nothing."""
    return request.site.cookies.set(LAST_WAY, way_id, max_age=LAST_WAY_SECONDS)


def no_remembered_way(request: PageRequest) -> str:
    """The cookie's end: after something was set up the next prompt opens on the strongest way."""
    return request.site.cookies.clear(LAST_WAY)


def first_way(request: PageRequest, ways: Sequence[Way]) -> Way:
    """The way last used in this browser, else the strongest that takes codes now, else the strongest."""
    last = request.cookie(LAST_WAY)
    if last is not None and is_id(last, FACTOR):
        for way in ways:
            if way.id == last:
                return way
    return next((way for way in ways if not way.stopped and way.paused_until is None), ways[0])


def _name(authentication_id: str) -> str:
    # One cookie a sign-in: two tabs do not disturb each other, and each cookie opens one prompt.
    return f"nightlatch-prompt-{authentication_id[-16:]}"
