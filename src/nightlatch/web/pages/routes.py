"""All pages of a server, for its application."""

from __future__ import annotations

from litestar.handlers import ASGIRouteHandler

from nightlatch.app.context import Ports
from nightlatch.web.pages.authenticator import pages as authenticator
from nightlatch.web.pages.demo.pages import demo_routes
from nightlatch.web.pages.demo.stage import Inbox, Stage
from nightlatch.web.pages.mail import pages as mail
from nightlatch.web.pages.portal import changing, number, phoning
from nightlatch.web.pages.portal import pages as portal
from nightlatch.web.pages.prompt import answering, numbering, pushing, texting
from nightlatch.web.pages.prompt import pages as prompt
from nightlatch.web.pages.shared import static_files
from nightlatch.web.pages.shared.pages import PageRoutes, Site
from nightlatch.web.settings import WebSettings


def page_handlers(ports: Ports, settings: WebSettings, inbox: Inbox | None = None) -> list[ASGIRouteHandler]:
    """The routes of hosted prompt, portal and static files; and of the demo, where there is one (X6)."""
    site = Site.of(ports, settings)
    areas = (
        static_files,
        prompt,
        answering,
        numbering,
        texting,
        pushing,
        portal,
        changing,
        number,
        phoning,
        authenticator,
        mail,
    )
    pages = PageRoutes(route for area in areas for route in area.routes)
    if settings.demo:
        pages.extend(demo_routes(Stage(ports, settings.public_url, inbox)))
    return pages.served(site)
