"""Authentications: decide, challenge, verify, wait, skip, cancel, redeem."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.cancel import cancel
from nightlatch.app.challenge import open_challenge
from nightlatch.app.messages import (
    AuthenticationAnswer,
    ChallengeAnswer,
    NewAuthentication,
    NewChallenge,
    NewVerification,
    ResultAnswer,
    ResultRequest,
    VerificationAnswer,
)
from nightlatch.app.read_authentication import read_authentication
from nightlatch.app.result import redeem_result as redeem
from nightlatch.app.skip import skip
from nightlatch.domain.errors import Conflict
from nightlatch.domain.time import SECOND
from nightlatch.web.common.endpoint import Call, Endpoints
from nightlatch.web.common.query import Query

endpoints = Endpoints("Authentications")

AUTHENTICATION = "/v1/authentications/{authentication}"
LONGEST_WAIT = 30

Seconds = Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT)]


class WaitQuery(Query, frozen=True, kw_only=True):
    """``wait``: answer when it is decided, or after so many seconds."""

    wait: Seconds = 0


def _holds_secret(answer: AuthenticationAnswer) -> bool:
    return any((answer.assertion, answer.device_token, answer.prompt_url))


@endpoints.post(
    "/v1/authentications",
    scope="authenticate",
    status=201,
    creates=True,
    secret=_holds_secret,
    example={"user": "maya", "context": {"ip": "192.0.2.7", "user_agent": "Mozilla/5.0"}, "action": "login"},
)
async def create_authentication(call: Call, body: NewAuthentication) -> AuthenticationAnswer:
    """Ask whether somebody may sign in.

    Answers `allow`, `challenge`, `enroll` or `deny`, and why. With `return_url` and `state` there is a hosted
    prompt at `prompt_url`. With the scope `users:write`, `user` may be a new person's fields.
    """
    return await authenticate(call.ports, call.caller, body)


@endpoints.get(AUTHENTICATION, scope="authenticate")
async def get_authentication(call: Call, authentication: str, query: WaitQuery) -> AuthenticationAnswer:
    """Read an authentication, or wait until it is decided.

    Of one authentication four requests wait at a time; more are answered at once, as it stands.
    """
    if query.wait > 0:
        waiting = read_authentication(
            call.ports, call.caller, authentication, wait=query.wait * SECOND, take=not call.only_looking
        )
        decided = await call.closing.attend(waiting, call.receive)
        if decided is not None:
            return decided
    return await read_authentication(call.ports, call.caller, authentication, take=not call.only_looking)


def _shows_number(answer: ChallengeAnswer) -> bool:
    """The number that a phone waits for is worth an approval to whoever reads it later."""
    return answer.number is not None


@endpoints.post(
    "/v1/authentications/{authentication}/challenges",
    scope="authenticate",
    status=201,
    creates=True,
    secret=_shows_number,
    refusals=(Conflict,),
    example={"factor": "fac_018f6b1c2d3e7a4b8c5d6e7f80910203"},
)
async def create_challenge(call: Call, authentication: str, body: NewChallenge) -> ChallengeAnswer:
    """Open a challenge for one of the offered factors.

    For a number this sends the code. Asked again, it sends a new one, and the code before it is dead; wait
    `resend_after` seconds between two. Codes from an app and backup codes need none.
    For push it asks the phone: show `number` large, and wait for the answer with `GET …/{id}?wait=25`.
    """
    return await open_challenge(call.ports, call.caller, authentication, body)


@endpoints.post(
    "/v1/authentications/{authentication}/verifications",
    scope="authenticate",
    refusals=(Conflict,),
    example={"code": "482913", "remember_device": True},
)
async def create_verification(call: Call, authentication: str, body: NewVerification) -> VerificationAnswer:
    """Answer with a code.

    `rejected` speaks of this attempt; the authentication stays pending until five were wrong. A throttled attempt
    is neither judged, counted nor consumed. Never repeated under an idempotency key.
    """
    return await answer(call.ports, call.caller, authentication, body)


@endpoints.post("/v1/authentications/{authentication}/cancellation", scope="authenticate", refusals=(Conflict,))
async def cancel_authentication(call: Call, authentication: str) -> AuthenticationAnswer:
    """Give an authentication up."""
    return await cancel(call.ports, call.caller, authentication)


@endpoints.post("/v1/authentications/{authentication}/skip", scope="authenticate", refusals=(Conflict,))
async def skip_enrollment(call: Call, authentication: str) -> VerificationAnswer:
    """Go on without a factor while the grace period lasts.

    Approved at `aal1`, and the assertion says so.
    """
    return await skip(call.ports, call.caller, authentication)


@endpoints.post(
    "/v1/authentications/{authentication}/result",
    scope="authenticate",
    refusals=(Conflict,),
    example={"code": "Zk3xq0V7cYt1n5uJ8sB2wL6dM4pR9hFaQeGxTyKiOUE"},
)
async def redeem_result(call: Call, authentication: str, body: ResultRequest) -> ResultAnswer:
    """Redeem the code that the hosted prompt returned.

    Once, within 60 seconds. A hosted authentication's assertion is given nowhere else.
    """
    return await redeem(call.ports, call.caller, authentication, body)
