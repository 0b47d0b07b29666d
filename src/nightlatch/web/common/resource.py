"""One path of the API: from the request's bytes to one use case, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

from nightlatch.app.context import Caller, Ports
from nightlatch.app.idempotency import Made, once
from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.errors import NotFound, Refusal
from nightlatch.web.common.address import client_address
from nightlatch.web.common.authorization import caller_of, check_scope, signer_of
from nightlatch.web.common.body import JSON, Disconnected, check_media_type, media_type_of, read_body
from nightlatch.web.common.closing import Closing
from nightlatch.web.common.endpoint import Call, Endpoint, Reply, Text
from nightlatch.web.common.problems import Headers, Malformed, MethodNotAllowed, render_problem, unreadable
from nightlatch.web.common.query import NoQuery, read_query
from nightlatch.web.common.respond import method_of, respond
from nightlatch.web.settings import WebSettings

Rendered = tuple[int, Headers, bytes]

OPEN_CALLER = Caller("anonymous")
"""Who calls an endpoint that is open to everybody."""

_ENCODER = msgspec.json.Encoder()
_JSON_HEADERS = [(b"content-type", JSON.encode())]


class Resource:
    """The endpoints of one path, by method. An ASGI application."""

    def __init__(self, endpoints: Sequence[Endpoint], ports: Ports, settings: WebSettings, closing: Closing) -> None:
        self._endpoints = {endpoint.method: endpoint for endpoint in endpoints}
        if "GET" in self._endpoints:
            self._endpoints["HEAD"] = self._endpoints["GET"]
        self._allow = ", ".join([*self._endpoints, "OPTIONS"])
        self._ports = ports
        self._settings = settings
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every refusal becomes a problem document."""
        try:
            status, headers, body = await self._answer(scope, receive)
        except Disconnected:
            return
        except SealBroken as error:
            refusal = unreadable(error, request_id_of(scope))
            status, headers, body = render_problem(refusal, request_id_of(scope), self._settings.public_url)
        except Refusal as refusal:
            status, headers, body = render_problem(refusal, request_id_of(scope), self._settings.public_url)
        await respond(scope, send, status, headers, body)

    async def _answer(self, scope: Scope, receive: Receive) -> Rendered:
        method = method_of(scope)
        if method == "OPTIONS":
            return 204, [(b"allow", self._allow.encode())], b""
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            raise MethodNotAllowed(extra={"allow": self._allow})
        headers = dict(scope["headers"])
        caller = OPEN_CALLER
        if endpoint.scope is not None:
            caller = await caller_of(self._ports, headers.get(b"authorization"))
            scope["state"]["application"] = caller.application.id if caller.application else None
            check_scope(caller, endpoint.scope)
        query_string = scope["query_string"]
        call = Call(
            self._ports,
            caller,
            headers,
            receive,
            self._closing,
            self._settings.public_url,
            partial(client_address, scope, self._settings.trusted_proxies),
            query_string,
            only_looking=method == "HEAD",
        )
        arguments: dict[str, Any] = _path_arguments(scope)
        raw = b""
        if endpoint.body is not None:
            raw = await read_body(headers, receive, endpoint.body_limit or self._settings.body_limit)
        if endpoint.signed:
            signature = headers.get(b"authorization")
            phone = await signer_of(self._ports, signature, method=method, path=scope["path"], body=raw)
            call = replace(call, signed_by=phone)
        # What is wrong with a request is told to who may make it.
        if endpoint.query is not None or (query_string and not endpoint.foreign):
            query = read_query(endpoint.query or NoQuery, query_string)
            if endpoint.query is not None:
                arguments["query"] = query
        if endpoint.body is not None:
            body = _body_of(endpoint, headers, raw)
            if endpoint.takes_body:
                arguments["body"] = body
        if not endpoint.creates or b"idempotency-key" not in headers:
            return rendered(endpoint, await endpoint.handler(call, **arguments))
        return await _answered_once(endpoint, call, f"{method} {scope['path']}", raw, arguments)


async def _answered_once(endpoint: Endpoint, call: Call, route: str, raw: bytes, arguments: dict[str, Any]) -> Rendered:
    """The answer to an ``Idempotency-Key``: made now, or the one that was made before."""

    async def work() -> Made:
        answer = await endpoint.handler(call, **arguments)
        status, _, body = rendered(endpoint, answer)
        return Made(status, body, getattr(answer, "id", None), secret=endpoint.secret(answer))

    key = call.header("idempotency-key")
    made = await once(call.ports, call.caller, route=route, key=key, body=raw, work=work)
    return made.status, _JSON_HEADERS.copy(), made.body


def request_id_of(scope: Scope) -> str:
    """The id that this request has in answer and log."""
    return str(scope["state"]["request_id"])


def rendered(endpoint: Endpoint, answer: Any) -> Rendered:
    """An endpoint's answer as it is sent."""
    if isinstance(answer, Reply):
        content = answer.content
        body = content if isinstance(content, bytes) else _ENCODER.encode(content)
        headers = [(b"content-type", answer.media_type.encode()), *answer.headers]
        return answer.status or endpoint.status, headers, body
    if answer is None:
        return endpoint.status, [], b""
    return endpoint.status, _JSON_HEADERS.copy(), _ENCODER.encode(answer)


def _path_arguments(scope: Scope) -> dict[str, Any]:
    parameters: dict[str, Any] = dict(scope["path_params"])
    if any("\0" in value for value in parameters.values()):
        raise NotFound
    return parameters


def _body_of(endpoint: Endpoint, headers: Mapping[bytes, bytes], raw: bytes) -> Any:
    if not raw and endpoint.body_optional:
        raw = b"{}"
    else:
        check_media_type(headers, endpoint.accepts)
    if endpoint.decoder is not None:
        return endpoint.decoder.decode(raw)
    try:
        return Text(raw.decode("utf-8"), media_type_of(headers))
    except UnicodeDecodeError as error:
        raise Malformed("The body is not valid UTF-8.") from error
