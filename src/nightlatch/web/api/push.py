"""What phones call: pair, wait, answer. No application's key is needed, or of use: phones sign."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nightlatch.app.push.caller import describe_phone
from nightlatch.app.push.challenges import list_challenges
from nightlatch.app.push.messages import (
    NewPairing,
    NewSubscription,
    PairedPhone,
    PhoneFactor,
    PushChallenges,
    PushResponded,
    PushResponse,
)
from nightlatch.app.push.pair import pair
from nightlatch.app.push.respond import respond
from nightlatch.app.push.subscription import set_subscription
from nightlatch.domain.errors import Unauthenticated
from nightlatch.domain.time import SECOND
from nightlatch.web.common.endpoint import Call, Endpoints
from nightlatch.web.common.query import Query

endpoints = Endpoints("Authenticator")

LONGEST_WAIT = 30

# A point to show, that of RFC 7515 appendix A.3.
X = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
Y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

Seconds = Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT)]


class ChallengesQuery(Query, frozen=True, kw_only=True):
    """``wait``: answer when a sign-in waits for this phone, or after so many seconds."""

    wait: Seconds = 0


@endpoints.post(
    "/v1/push/pairings",
    scope=None,
    status=201,
    example={
        "code": "0123456789ABCDEFGHJKMNPQ",
        "public_key": {"kty": "EC", "crv": "P-256", "x": X, "y": Y},
        "proof": "eyJhbGciOiJFUzI1NiJ9.e30.AA",
        "name": "Pixel 8",
    },
)
async def pair_phone(call: Call, body: NewPairing) -> PairedPhone:
    """Pair a phone.

    With the code of an enrolment that was begun less than 10 minutes ago; it works once. `proof` is a JWS of the type
    `nightlatch-push-pairing+jwt`, signed by the key that is registered. The factor stays pending until the phone
    answers the challenge with the number that stands beside the QR picture.
    """
    return await pair(call.ports, body, peer=call.peer)


@endpoints.get("/v1/push/challenges", scope=None, signed=True)
async def list_push_challenges(call: Call, query: ChallengesQuery) -> PushChallenges:
    """What waits for this phone.

    Signed: `Authorization: Push` with a JWS of the type `nightlatch-push-request+jwt`. With `wait` the answer comes
    as soon as a sign-in asks for this phone. The number is never in it.
    """
    if query.wait > 0:
        waiting = list_challenges(call.ports, call.phone, wait=query.wait * SECOND)
        found = await call.closing.attend(waiting, call.receive)
        if found is not None:
            return found
    return await list_challenges(call.ports, call.phone)


@endpoints.post(
    "/v1/push/challenges/{challenge}/response",
    scope=None,
    refusals=(Unauthenticated,),
    example={"response": "eyJhbGciOiJFUzI1NiJ9.e30.AA"},
)
async def respond_to_challenge(call: Call, challenge: str, body: PushResponse) -> PushResponded:
    """Answer a challenge.

    `response` is a JWS of the type `nightlatch-push-response+jwt` that names all of what was asked, and what the
    person decided. One response counts; the others are `expired`.
    """
    return await respond(call.ports, challenge, body.response, peer=call.peer)


@endpoints.get("/v1/push/factor", scope=None, signed=True)
async def get_phone(call: Call) -> PhoneFactor:
    """The account as its phone sees it.

    Signed, as for the challenges.
    """
    return await describe_phone(call.ports, call.phone)


@endpoints.put(
    "/v1/push/subscription",
    scope=None,
    signed=True,
    status=204,
    example={"subscription": {"ntfy": "https://ntfy.example/up4f7b2c"}},
)
async def put_subscription(call: Call, body: NewSubscription) -> None:
    """Say how this phone is rung from now on.

    Signed, as for the challenges. A way that is not named any more is gone.
    """
    await set_subscription(call.ports, call.phone, body)
