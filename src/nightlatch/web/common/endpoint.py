"""What an endpoint of the API is: a function with its method, path, one scope, and its refusals.

The function's signature is the contract: ``body`` and ``query`` are messages, other parameters
are parts of the path, the return type is the answer. Dispatch, OpenAPI document and tests all
read this one description.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from litestar.types import Receive

from nightlatch.app.context import Caller, Ports
from nightlatch.app.messages import Request
from nightlatch.app.push.caller import Phone
from nightlatch.domain.errors import Refusal
from nightlatch.web.common.body import JSON
from nightlatch.web.common.closing import Closing
from nightlatch.web.common.decoding import BodyDecoder

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]
F = TypeVar("F", bound=Handler)

_PATH_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as its handler sees it. ``public_url`` has no trailing slash; ``client`` tells who sent it (X8).

    ``only_looking``: it is a HEAD, which gets no body and must use up nothing (RFC 9110 §9.2.1).
    """

    ports: Ports
    caller: Caller
    headers: Mapping[bytes, bytes]
    receive: Receive
    closing: Closing
    public_url: str
    client: Callable[[], str]
    query_string: bytes = b""
    signed_by: Phone | None = None
    only_looking: bool = False

    @property
    def phone(self) -> Phone:
        """The phone that signed the request; only an endpoint that is ``signed`` has one."""
        assert self.signed_by is not None, "the endpoint is not signed"
        return self.signed_by

    @property
    def peer(self) -> str:
        """The address that the request came from; an application's own, where that calls."""
        return self.client()

    def header(self, name: str) -> str | None:
        """A header's value, or None."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1").strip()


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """An answer with headers of its own, in another type than JSON (then its bytes), or of another status."""

    content: T | bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media_type: str = JSON
    status: int | None = None


class Nothing(Request, frozen=True, kw_only=True):
    """No body, or an empty object: what a POST takes whose handler asks for none."""


class Text(NamedTuple):
    """A body that is taken as it was written, in one of the types that its endpoint accepts."""

    text: str
    media_type: str


def _never(_answer: Any) -> bool:
    return False


def always(_answer: Any) -> bool:
    """For answers that always hold a secret."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """``scope`` None: open to everybody, or with ``signed`` to paired phones. ``creates``: honors ``Idempotency-Key``;
    ``secret``: whether an answer holds something that is told once, so that it is never stored. ``refusals``:
    kinds beyond those that follow from the rest. ``headers``: required ones, each with what it says. ``example``: a body.
    ``foreign``: the query is somebody else's to shape, and left to the handler as it came.
    """

    method: str
    path: str
    scope: str | None
    summary: str
    description: str
    tag: str
    handler: Handler
    status: int
    body: Any = None
    query: Any = None
    answer: Any = None
    accepts: tuple[str, ...] = (JSON,)
    offers: tuple[str, ...] = (JSON,)
    body_limit: int | None = None
    creates: bool = False
    signed: bool = False
    foreign: bool = False
    secret: Callable[[Any], bool] = _never
    refusals: tuple[type[Refusal], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    example: Mapping[str, Any] | None = None
    decoder: BodyDecoder[Any] | None = field(default=None, compare=False)

    @property
    def operation_id(self) -> str:
        """Stable: the handler's name."""
        return self.handler.__name__

    @property
    def takes_body(self) -> bool:
        """Whether the handler is handed the body."""
        return self.body not in (None, Nothing)

    @property
    def path_parameters(self) -> list[str]:
        """The names in braces."""
        return _PATH_PARAMETER.findall(self.path)

    @property
    def body_optional(self) -> bool:
        """Whether no body at all says the same as an empty object."""
        return self.body not in (None, Text) and not any(item.required for item in msgspec.structs.fields(self.body))


class Endpoints(list[Endpoint]):
    """The endpoints of one resource."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag = tag

    def on(self, method: str, path: str, *, scope: str | None, status: int = 200, **details: Any) -> Callable[[F], F]:
        """Describe the decorated function as an endpoint. ``details`` as in ``Endpoint``."""

        def describe(handler: F) -> F:
            self.append(_described(handler, method, path, scope=scope, status=status, tag=self.tag, **details))
            return handler

        return describe

    def get(self, path: str, **details: Any) -> Callable[[F], F]:
        """An endpoint that reads."""
        return self.on("GET", path, **details)

    def post(self, path: str, **details: Any) -> Callable[[F], F]:
        """An endpoint that acts."""
        return self.on("POST", path, **details)

    def put(self, path: str, **details: Any) -> Callable[[F], F]:
        """An endpoint that replaces."""
        return self.on("PUT", path, **details)

    def patch(self, path: str, **details: Any) -> Callable[[F], F]:
        """An endpoint that changes."""
        return self.on("PATCH", path, **details)

    def delete(self, path: str, **details: Any) -> Callable[[F], F]:
        """An endpoint that removes."""
        return self.on("DELETE", path, status=details.pop("status", 204), **details)


def _described(handler: Handler, method: str, path: str, **details: Any) -> Endpoint:
    hints = get_type_hints(handler)
    summary, _, description = inspect.cleandoc(handler.__doc__ or "").partition("\n\n")
    body = hints.get("body", Nothing if method == "POST" else None)
    endpoint = Endpoint(
        method=method,
        path=path,
        handler=handler,
        summary=summary,
        description=description.replace("\n", " "),
        body=body,
        query=hints.get("query"),
        answer=_answer_of(hints.get("return")),
        decoder=BodyDecoder(body) if body not in (None, Text) else None,
        **details,
    )
    _check(endpoint, set(hints))
    return endpoint


def _answer_of(hint: Any) -> Any:
    if get_origin(hint) is Reply:
        return get_args(hint)[0]
    return None if hint in (None, type(None)) else hint


def _check(endpoint: Endpoint, named: set[str]) -> None:
    expected = {"call", "return", *endpoint.path_parameters}
    if named - {"body", "query"} != expected:
        _refuse(endpoint, f"has parameters {sorted(named)}, its path wants {sorted(expected)}")
    if not endpoint.summary:
        _refuse(endpoint, "has no docstring to describe it")


def _refuse(endpoint: Endpoint, why: str) -> NoReturn:
    raise TypeError(f"{endpoint.handler.__module__}.{endpoint.operation_id} {why}")
