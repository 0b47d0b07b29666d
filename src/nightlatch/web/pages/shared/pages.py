"""From a request to a page: forms, cookies, one answer. Everything that is refused is a page too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import string
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from nightlatch.app.context import Ports
from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.errors import Forbidden, NotFound, Refusal, Throttled, Unavailable
from nightlatch.web.common.address import client_address
from nightlatch.web.common.body import Disconnected, check_media_type, read_body
from nightlatch.web.common.cookies import Cookies
from nightlatch.web.common.problems import Headers, Internal, MethodNotAllowed, status_of, unreadable
from nightlatch.web.common.respond import method_of, respond
from nightlatch.web.common.security_headers import CONTENT_SECURITY_POLICY, content_security_policy
from nightlatch.web.pages.shared.assets import Assets
from nightlatch.web.pages.shared.rendering import Renderer
from nightlatch.web.settings import WebSettings

HTML = "text/html; charset=utf-8"
FORM = "application/x-www-form-urlencoded"
FORM_LIMIT = 16 * 1024
LOGO_SCHEMES = ("https://",)


class StaleForm(Forbidden):
    """The form did not come from our page in this browser (X2)."""

    code = "stale_form"
    detail = "Nothing was changed. Go back, reload the page and try again."


@dataclass(frozen=True, slots=True)
class Page:
    """An answer. ``cookies`` are values of ``Set-Cookie``."""

    body: bytes = b""
    status: int = 200
    media_type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()


def go(address: str, *cookies: str) -> Page:
    """Redirect after a post (303), so that a reload repeats nothing.

    Parts of a request stand in some addresses: whatever is no printable ASCII is quoted, so that none ends the line.
    """
    return Page(status=303, headers=(("location", quote(address, safe=string.punctuation)),), cookies=cookies)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request, as a page's handler sees it."""

    site: Site
    scope: Scope
    receive: Receive
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def ports(self) -> Ports:
        """The outside."""
        return self.site.ports

    @property
    def peer(self) -> str:
        """The browser's address (X8)."""
        return client_address(self.scope, self.site.settings.trusted_proxies)

    @property
    def only_looking(self) -> bool:
        """Whether nobody is there yet: a HEAD, or a browser that loads ahead of a click."""
        ahead = f"{self.header('sec-purpose')} {self.header('purpose')}"
        return method_of(self.scope) == "HEAD" or "prefetch" in ahead

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.scope["path_params"][name])

    def cookie(self, name: str) -> str | None:
        """A cookie of ours."""
        return self.site.cookies.read(self.scope, name)

    def header(self, name: str) -> str | None:
        """A header's value, or None."""
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == wanted), None)

    async def form(self, secret: str | None) -> dict[str, str]:
        """The fields of a form that was made for the session of this ``secret``. Raises ``StaleForm``."""
        headers = dict(self.scope["headers"])
        check_media_type(headers, (FORM,))
        raw = await read_body(headers, self.receive, FORM_LIMIT)
        fields = _fields(raw.decode("utf-8", "replace"), most=50)
        if self.header("sec-fetch-site") not in (None, "same-origin", "none"):
            raise StaleForm
        told = fields.get("csrf", "").encode()
        if secret is None or not hmac.compare_digest(csrf_token(secret).encode(), told):
            raise StaleForm
        return {name: value.replace("\0", "") for name, value in fields.items()}


def _fields(text: str, *, most: int) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=most))
    except ValueError:
        return {}


def csrf_token(secret: str) -> str:
    """What a form must bring: bound to the session's cookie, and of no use without it."""
    digest = hashlib.sha256(b"csrf:" + secret.encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def codes_file(organization: str, codes: Sequence[str], application: str | None = None) -> Page:
    """Backup codes as a text file."""
    where = organization if application in (None, organization) else f"{application} ({organization})"
    lines = (
        f"Backup codes for {where}",
        "",
        "Each gets you in once if your phone is gone. Keep them somewhere other than your phone.",
        "",
        *codes,
        "",
    )
    return Page(
        body="\r\n".join(lines).encode(),
        media_type="text/plain; charset=utf-8",
        headers=(("content-disposition", 'attachment; filename="backup-codes.txt"'),),
    )


def authenticator_address(request: PageRequest) -> str:
    """Where the page is that phones approve on, as people read addresses."""
    return f"{request.site.settings.public_url.partition('//')[2]}/authenticator"


PageHandler = Callable[[PageRequest], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages are made with."""

    ports: Ports
    settings: WebSettings
    assets: Assets
    renderer: Renderer
    cookies: Cookies

    @classmethod
    def of(cls, ports: Ports, settings: WebSettings) -> Site:
        """Read templates and static files once."""
        assets = Assets.packaged()
        renderer = Renderer(assets, settings.brand, demo=settings.demo)
        return cls(ports, settings, assets, renderer, Cookies(settings))

    def page(
        self,
        name: str,
        *,
        status: int = 200,
        form_action: Sequence[str] = (),
        cookies: Sequence[str] = (),
        **values: Any,
    ) -> Page:
        """Render a template under our content security policy (X3)."""
        logo = self.settings.brand.logo or ""
        images = (logo,) if logo.startswith(LOGO_SCHEMES) else ()
        policy = content_security_policy(form_action=form_action, images=images)
        return Page(
            body=self.renderer.render(name, **values),
            status=status,
            headers=((CONTENT_SECURITY_POLICY, policy),),
            cookies=tuple(cookies),
        )

    def refusal(self, refusal: Refusal) -> Page:
        """A refusal, in words for people."""
        heading, words = words_of(refusal)
        headers = {"retry-after": str(refusal.retry_after)} if refusal.retry_after else {}
        page = self.page("shared/refusal.html", status=status_of(refusal), heading=heading, words=words)
        return Page(page.body, page.status, headers=(*page.headers, *headers.items()))


def words_of(refusal: Refusal) -> tuple[str, str]:
    """A heading and a sentence. What only builders would understand stays out."""
    if refusal.code in _WORDS:
        return _WORDS[refusal.code]
    if isinstance(refusal, Throttled):
        return "Too many tries at once.", "Wait a moment and try again."
    if isinstance(refusal, Unavailable | Internal):
        return "That didn't work.", "It's us, not you. Nothing was changed. Try again in a minute."
    if isinstance(refusal, NotFound):
        return "There is nothing here.", "The link may be old or incomplete."
    return "That can't be done.", "Go back, reload the page and try again."


_WORDS = {
    StaleForm.code: ("That page was open for too long.", StaleForm.detail),
    "prompt_elsewhere": (
        "Go on in the browser you started in.",
        "This sign-in was opened in another browser, or it is over. You can start again where you came from.",
    ),
    "confirmation_required": (
        "Somebody must confirm first that it's you.",
        "Ask where you signed in: they can let you set up a second lock.",
    ),
    "portal_signed_out": ("Your page is closed.", "It closes by itself. Open it again from where you came."),
    "portal_link_dead": ("This link is used up.", "It works once, for five minutes. Ask for a new one."),
    "prompt_gone": ("This sign-in is over.", "Go back to where you came from and start again."),
}


class PagePath:
    """The pages of one path, by method. An ASGI application."""

    def __init__(self, site: Site, handlers: Mapping[str, PageHandler]) -> None:
        self._site = site
        self._handlers = dict(handlers)
        if "GET" in handlers:
            self._handlers["HEAD"] = handlers["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            page = await self._answer(scope, receive)
        except Disconnected:
            return
        except SealBroken as error:
            page = self._site.refusal(unreadable(error, str(scope["state"]["request_id"])))
        except Refusal as refusal:
            page = self._site.refusal(refusal)
        await respond(scope, send, page.status, _headers(page), page.body)

    async def _answer(self, scope: Scope, receive: Receive) -> Page:
        handler = self._handlers.get(method_of(scope))
        if handler is None:
            raise MethodNotAllowed(extra={"allow": ", ".join(self._handlers)})
        query = _fields(scope["query_string"].decode("latin-1"), most=20)
        return await handler(PageRequest(self._site, scope, receive, query))


def _headers(page: Page) -> Headers:
    headers = [(b"content-type", page.media_type.encode())]
    headers += [(name.encode(), value.encode()) for name, value in page.headers]
    headers += [(b"set-cookie", value.encode()) for value in page.cookies]
    return headers


class PageRoutes(list[tuple[str, str, PageHandler]]):
    """The pages of one area: method, path, handler."""

    def get(self, path: str) -> Callable[[PageHandler], PageHandler]:
        """A page that shows."""
        return self._on("GET", path)

    def post(self, path: str) -> Callable[[PageHandler], PageHandler]:
        """A form that acts."""
        return self._on("POST", path)

    def _on(self, method: str, path: str) -> Callable[[PageHandler], PageHandler]:
        def describe(handler: PageHandler) -> PageHandler:
            self.append((method, path, handler))
            return handler

        return describe

    def served(self, site: Site) -> list[ASGIRouteHandler]:
        """The routes for the application; parts of a path are ``{name}``."""
        paths: dict[str, dict[str, PageHandler]] = {}
        for method, path, handler in self:
            paths.setdefault(path, {})[method] = handler
        return [
            asgi(path.replace("}", ":str}"), name=f"page {path}", copy_scope=False)(_callable(PagePath(site, handlers)))
            for path, handlers in paths.items()
        ]


def _callable(path: PagePath) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await path(scope, receive, send)

    return page
