"""All pages of a server, for its application."""

from __future__ import annotations

from litestar.handlers import ASGIRouteHandler

from nightlatch.app.context import Ports
from nightlatch.web.pages.prompt import answering, pages as prompt
from nightlatch.web.pages.shared import static_files
from nightlatch.web.pages.shared.pages import Site
from nightlatch.web.settings import WebSettings


def page_handlers(ports: Ports, settings: WebSettings) -> list[ASGIRouteHandler]:
    """The routes of hosted prompt, portal and static files."""
    site = Site.of(ports, settings)
    assert answering.routes is prompt.routes
    return [*static_files.routes.served(site), *prompt.routes.served(site)]
