"""Decision and verification in one call: the hot path."""

from __future__ import annotations

from nightlatch.app.messages import OneShot, OneShotAnswer
from nightlatch.app.verify import verify
from nightlatch.web.common.endpoint import Call, Endpoints

endpoints = Endpoints("Authentications")


@endpoints.post(
    "/v1/verify",
    scope="authenticate",
    example={"user": "maya", "code": "482913", "context": {"ip": "192.0.2.7"}},
)
async def verify_once(call: Call, body: OneShot) -> OneShotAnswer:
    """Decide and verify in one call.

    The code is always judged: a wrong one is `rejected` whatever policy decides, and `enroll` and `deny` give no
    assertion. Never repeated under an idempotency key.
    """
    return await verify(call.ports, call.caller, body)
