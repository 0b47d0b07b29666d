"""Around every request: its id, its headers, one line in the log, its count."""

from __future__ import annotations

from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send, WebSocketCloseEvent

from nightlatch.domain.ids import ENTROPY_BYTES, new_id
from nightlatch.domain.time import SECOND
from nightlatch.ports.world import Clock, Entropy
from nightlatch.web.common.metrics import Metrics
from nightlatch.web.common.respond import method_of
from nightlatch.web.common.security_headers import SecurityHeaders

REQUEST = "req"
UNMATCHED = "unmatched"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
MILLISECOND = SECOND // 1000
CLIENT_GONE = 499
"""What the log calls a request whose client left before the answer (nginx's number)."""

_NO_WEBSOCKETS: WebSocketCloseEvent = {"type": "websocket.close", "code": 1008, "reason": None}

log = structlog.get_logger("nightlatch.web")


class Edge:
    """An ASGI application around ours. Paths are logged as templates: a token may stand in one (X4)."""

    def __init__(
        self, app: ASGIApp, headers: SecurityHeaders, metrics: Metrics, clock: Clock, entropy: Entropy
    ) -> None:
        self._app = app
        self._headers = headers
        self._metrics = metrics
        self._clock = clock
        self._entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP:
            await send(_NO_WEBSOCKETS)
            return
        started = self._clock.now()
        request_id = new_id(REQUEST, started, self._entropy.bytes(ENTROPY_BYTES))
        # The server hands every request a shallow copy of one state, so what is written here is this request's own.
        state: dict[str, Any] = scope["state"]
        state["request_id"] = request_id
        state["application"] = None
        status = CLIENT_GONE

        async def send_completed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = self._headers.completed(message["headers"])
                headers.append((b"request-id", request_id.encode()))
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, send_completed)
        finally:
            self._tell(scope, status, self._clock.now() - started)

    def _tell(self, scope: Scope, status: int, took: int) -> None:
        route = scope.get("path_template") or UNMATCHED
        method = method_of(scope)
        method = method if method in METHODS else "other"
        self._metrics.request(method, route, status, max(0, took) / SECOND)
        log.info(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(took / MILLISECOND, 1),
            application=scope["state"]["application"],
            request_id=scope["state"]["request_id"],
        )
