"""Serving the static files: for a year under their hash, else as long as they are the same."""

from __future__ import annotations

import hashlib

from nightlatch.domain.errors import NotFound
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes
from nightlatch.web.pages.shared.rendering import brand_css

routes = PageRoutes()

IMMUTABLE = "public, max-age=31536000, immutable"
CHECKED = "public, no-cache"


@routes.get("/static/brand.css")
async def brand(request: PageRequest) -> Page:
    """The organisation's accent."""
    return _cached(request, brand_css(request.site.settings.brand), "text/css; charset=utf-8", CHECKED)


@routes.get("/static/{tree}/{area}/{name}")
async def asset(request: PageRequest) -> Page:
    """A file of ours."""
    assets = request.site.assets
    found = assets.get(f"{request.part('area')}/{request.part('name')}")
    if found is None:
        raise NotFound
    current = request.part("tree") == assets.hash
    return _cached(request, found.body, found.media_type, IMMUTABLE if current else CHECKED)


@routes.get("/favicon.ico")
async def favicon(request: PageRequest) -> Page:
    """For browsers that ask without having been told."""
    found = request.site.assets.get("shared/logo.svg")
    assert found is not None
    return _cached(request, found.body, found.media_type, CHECKED)


def _cached(request: PageRequest, body: bytes, media_type: str, caching: str) -> Page:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = (("cache-control", caching), ("etag", tag))
    if request.header("if-none-match") == tag:
        return Page(status=304, media_type=media_type, headers=headers)
    return Page(body=body, media_type=media_type, headers=headers)
