"""What operators, verifiers and machines ask: health, metrics, public keys, this API's description."""

from __future__ import annotations

import hmac
from typing import Any

import msgspec

from nightlatch.app.messages import Answer
from nightlatch.domain.errors import Unauthenticated, Unavailable
from nightlatch.web.common.endpoint import Call, Endpoints, Reply
from nightlatch.web.common.metrics import MEDIA_TYPE as METRICS_TYPE
from nightlatch.web.common.metrics import Metrics

JWKS_SECONDS = 300
"""How long verifiers may keep our keys: a new one is announced longer than this before it signs."""

CACHE = b"public, max-age=%d" % JWKS_SECONDS


class Health(Answer, frozen=True, kw_only=True):
    """``ok``, or ``ready``."""

    status: str


class KeySet(Answer, frozen=True, kw_only=True):
    """A JSON Web Key Set (RFC 7517 §5)."""

    keys: list[dict[str, Any]]


endpoints = Endpoints("Service")


@endpoints.get("/healthz", scope=None)
async def get_health(call: Call) -> Health:  # noqa: ARG001
    """Whether this process answers."""
    return Health(status="ok")


@endpoints.get("/readyz", scope=None, refusals=(Unavailable,))
async def get_readiness(call: Call) -> Health:
    """Whether requests can be served: the database answers and there is a key to sign with."""
    await call.ports.catalog.generation()
    if not call.ports.signer.jwks()["keys"]:
        raise Unavailable("There is no key to sign with.")
    return Health(status="ready")


@endpoints.get("/.well-known/jwks.json", scope=None)
async def get_keys(call: Call) -> Reply[KeySet]:
    """The public keys that verify assertions.

    They may be kept for five minutes.
    """
    keys = KeySet(keys=call.ports.signer.jwks()["keys"])
    return Reply(keys, headers=((b"cache-control", CACHE), (b"access-control-allow-origin", b"*")))


def metrics_endpoints(metrics: Metrics, token: str | None) -> Endpoints:
    """``/metrics``, for who knows the token; without a token set, for nobody."""
    made = Endpoints("Service")

    @made.get("/metrics", scope=None, offers=("text/plain",), refusals=(Unauthenticated,))
    async def get_metrics(call: Call) -> Reply[bytes]:
        """Counters in Prometheus' text format.

        Needs `Authorization: Bearer` with the setting `metrics_token`.
        """
        given = call.header("authorization") or ""
        expected = f"Bearer {token}"
        if token is None or not hmac.compare_digest(given.encode(), expected.encode()):
            raise Unauthenticated("Send the setting metrics_token as a bearer token.")
        return Reply(metrics.page(), media_type=METRICS_TYPE)

    return made


def document_endpoint(document: dict[str, Any]) -> Endpoints:
    """``/openapi.json``, rendered once."""
    made = Endpoints("Service")
    rendered = msgspec.json.encode(document)

    @made.get("/openapi.json", scope=None)
    async def get_openapi(call: Call) -> Reply[bytes]:  # noqa: ARG001
        """The description of this API (OpenAPI 3.1)."""
        return Reply(rendered, headers=((b"access-control-allow-origin", b"*"),))

    return made
