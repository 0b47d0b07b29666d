"""The web application: every endpoint and page behind one edge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from litestar import Litestar, MediaType, Request, Response, asgi
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from nightlatch.app.context import Ports
from nightlatch.domain.errors import NotFound, Refusal
from nightlatch.ports.delivery import ReceiptReader
from nightlatch.web.api import (
    audit,
    authentications,
    devices,
    factors,
    policy,
    portal_links,
    push,
    service,
    sms_receipts,
    texts,
    users,
    verify,
)
from nightlatch.web.common.closing import Closing
from nightlatch.web.common.edge import Edge
from nightlatch.web.common.endpoint import Endpoint
from nightlatch.web.common.metrics import Metrics
from nightlatch.web.common.problems import Internal, Malformed, MethodNotAllowed, TooLarge, render_problem
from nightlatch.web.common.reference import reference
from nightlatch.web.common.resource import Resource, request_id_of
from nightlatch.web.common.routing import mend_path_parameters
from nightlatch.web.common.security_headers import SecurityHeaders
from nightlatch.web.openapi import document
from nightlatch.web.pages.docs.pages import docs_routes
from nightlatch.web.pages.shared.pages import Site
from nightlatch.web.settings import WebSettings

AnyRequest = Request[Any, Any, Any]
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]

log = structlog.get_logger("nightlatch.web")

ENDPOINTS: tuple[Endpoint, ...] = (
    *users.endpoints,
    *factors.endpoints,
    *authentications.endpoints,
    *verify.endpoints,
    *portal_links.endpoints,
    *devices.endpoints,
    *policy.endpoints,
    *audit.endpoints,
    *texts.endpoints,
    *push.endpoints,
    *service.endpoints,
)


def build(
    ports: Ports,
    settings: WebSettings,
    *,
    extra_handlers: Sequence[ControllerRouterHandler] = (),
    lifespan: Sequence[Lifespan] = (),
    metrics: Metrics | None = None,
    receipts: Mapping[str, ReceiptReader] | None = None,
) -> Litestar:
    """The application that a server runs.

    ``extra_handlers`` are pages. ``metrics`` are the counters that the store counts in
    (``CountedStore``), if it does. ``receipts`` are the gateways that tell what became of texts, by name.
    """
    metrics = metrics or Metrics()
    closing = Closing()
    endpoints, described = endpoints_of(settings, metrics, receipts)
    site = Site.of(ports, settings)
    app = Litestar(
        route_handlers=[
            *_resources(endpoints, ports, settings, closing),
            *docs_routes(reference(described)).served(site),
            *extra_handlers,
        ],
        exception_handlers=_exception_handlers(site),
        lifespan=[*lifespan, lambda _: closing.watching_signals()],
        request_max_body_size=settings.body_limit,
        openapi_config=None,
        logging_config=None,
    )
    app.state.closing = closing  # for the pages, which wait too
    mend_path_parameters(app)
    app.asgi_handler = Edge(app.asgi_handler, SecurityHeaders(settings), metrics, ports.clock, ports.entropy)
    return app


def endpoints_of(
    settings: WebSettings, metrics: Metrics, receipts: Mapping[str, ReceiptReader] | None = None
) -> tuple[list[Endpoint], Mapping[str, Any]]:
    """Every endpoint of the API, and the document that describes them all, itself included."""
    told = sms_receipts.receipt_endpoints(receipts or {})
    endpoints = [*ENDPOINTS, *told, *service.metrics_endpoints(metrics, settings.metrics_token)]
    described = document([*endpoints, *service.document_endpoint({})], settings.public_url)
    return [*endpoints, *service.document_endpoint(described)], described


def _resources(
    endpoints: Sequence[Endpoint], ports: Ports, settings: WebSettings, closing: Closing
) -> list[ASGIRouteHandler]:
    paths: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, []).append(endpoint)
    return [_mounted(path, Resource(found, ports, settings, closing)) for path, found in paths.items()]


def _mounted(path: str, resource: Resource) -> ASGIRouteHandler:
    @asgi(path.replace("}", ":str}"), name=path, copy_scope=False)
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await resource(scope, receive, send)

    return serve


def _exception_handlers(site: Site) -> dict[int | type[Exception], Any]:
    """For what no endpoint and no page answered itself: routing, and faults of ours."""

    def answer(request: AnyRequest, refusal: Refusal) -> Response[Any]:
        if _is_persons(request):
            page = site.refusal(refusal)
            return Response(page.body, status_code=page.status, headers=dict(page.headers), media_type=MediaType.HTML)
        status, headers, body = render_problem(refusal, request_id_of(request.scope), site.settings.public_url)
        plain = {name.decode(): value.decode() for name, value in headers}
        return Response(body, status_code=status, headers=plain, media_type=plain["content-type"])

    def failed(request: AnyRequest, error: Exception) -> Response[Any]:
        log.error("request failed", exc_info=error, request_id=request_id_of(request.scope))
        return answer(request, Internal())

    def refused(request: AnyRequest, error: HTTPException) -> Response[Any]:
        if error.status_code >= 500:
            return failed(request, error)
        return answer(request, _refusal_of(error))

    return {Refusal: answer, HTTPException: refused, Exception: failed}


def _is_persons(request: AnyRequest) -> bool:
    """Whether a browser shows the answer to a person."""
    accept = request.headers.get("accept", "")
    return "text/html" in accept and not request.scope["path"].startswith("/v1")


def _refusal_of(error: HTTPException) -> Refusal:
    if error.status_code == 404:
        return NotFound()
    if error.status_code == 405:
        return MethodNotAllowed(extra={"allow": str((error.headers or {}).get("allow", ""))})
    if error.status_code == 413:
        return TooLarge()
    return Malformed()
