"""The authenticator's page, manifest and service worker.

The page is the same for everybody and holds nothing secret: a pairing code stands behind ``#`` in its address, which
browsers send nowhere, and keys are made and kept in the phone.
"""

from __future__ import annotations

import msgspec

from nightlatch.domain.brand import Brand
from nightlatch.domain.webpush import application_server_key, vapid_key
from nightlatch.web.common.security_headers import CONTENT_SECURITY_POLICY, content_security_policy
from nightlatch.web.pages.authenticator.words import ERRORS
from nightlatch.web.pages.shared.assets import Assets
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes

routes = PageRoutes()

HOME = "/authenticator"
MANIFEST = "/authenticator/manifest.webmanifest"
WORKER = "/authenticator/worker.js"

CHECKED = "public, no-cache"

ICONS = (
    ("authenticator/icon.svg", "any", "image/svg+xml", "any"),
    ("authenticator/icon-192.png", "192x192", "image/png", "any"),
    ("authenticator/icon-512.png", "512x512", "image/png", "any"),
    ("authenticator/icon-maskable-192.png", "192x192", "image/png", "maskable"),
    ("authenticator/icon-maskable-512.png", "512x512", "image/png", "maskable"),
)

SHELL = (
    "shared/tokens.css",
    "shared/page.css",
    "shared/page.js",
    "shared/logo.svg",
    "shared/mark-error.svg",
    "shared/mark-note.svg",
    "shared/mark-ok.svg",
    "authenticator/authenticator.css",
    "authenticator/authenticator.js",
    "authenticator/answering.js",
    "authenticator/pairing.js",
    "authenticator/phone.js",
    "authenticator/ringing.js",
    "authenticator/screens.js",
    "authenticator/server.js",
    "authenticator/unlocking.js",
)
"""What opens without a connection."""


@routes.get(HOME)
async def authenticator(request: PageRequest) -> Page:
    """The app. Its manifest may stand in the page itself, so that a pairing code in it reaches no server."""
    shown = request.site.page(
        "authenticator/authenticator.html",
        push_key=_push_key(request),
        origin=request.site.settings.public_url,
        manifest=MANIFEST,
        errors=ERRORS,
    )
    policy = f"{content_security_policy()}; manifest-src 'self' data:"
    return Page(shown.body, headers=((CONTENT_SECURITY_POLICY, policy),))


@routes.get(MANIFEST)
async def manifest(request: PageRequest) -> Page:
    """What makes the page installable."""
    told = manifest_of(request.site.settings.brand, request.site.assets)
    return Page(
        msgspec.json.encode(told), media_type="application/manifest+json", headers=(("cache-control", CHECKED),)
    )


@routes.get(WORKER)
async def worker(request: PageRequest) -> Page:
    """The service worker, which is told what belongs to this release."""
    assets = request.site.assets
    script = assets.get("authenticator/worker.js")
    assert script is not None
    told = {
        "release": assets.hash,
        "home": HOME,
        "files": [*(assets.url(name) for name in SHELL), "/static/brand.css"],
        "icon": assets.url("authenticator/icon-192.png"),
        "badge": assets.url("authenticator/badge-96.png"),
    }
    headers = (
        ("cache-control", CHECKED),
        ("service-worker-allowed", HOME),
        (CONTENT_SECURITY_POLICY, content_security_policy()),
    )
    body = b"const TOLD = " + msgspec.json.encode(told) + b";\n" + script.body
    return Page(body, media_type="text/javascript; charset=utf-8", headers=headers)


def manifest_of(brand: Brand, assets: Assets) -> dict[str, object]:
    """A web app manifest (W3C) under the organisation's name."""
    return {
        "id": HOME,
        "name": "Nightlatch" if brand.name == "Nightlatch" else f"{brand.name} sign-in",
        "short_name": brand.name,
        "lang": "en-GB",
        "start_url": HOME,
        "scope": HOME,
        "display": "standalone",
        "background_color": "#F7F5F0",
        "theme_color": "#F7F5F0",
        "icons": [
            {"src": assets.url(name), "sizes": sizes, "type": type_, "purpose": purpose}
            for name, sizes, type_, purpose in ICONS
        ],
    }


def _push_key(request: PageRequest) -> str:
    """What browsers subscribe with. It is public, and the same for as long as the server's keys are (P9)."""
    return application_server_key(vapid_key(request.ports.sealer.digest))
