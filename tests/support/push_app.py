"""A person with a paired phone, over the use cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from nightlatch.app.applications.by_key import caller_by_key
from nightlatch.app.applications.create import create_application
from nightlatch.app.authenticate import authenticate
from nightlatch.app.challenge import open_challenge
from nightlatch.app.context import Caller
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.messages import (
    Activation,
    AuthenticationAnswer,
    ContextIn,
    NewApplication,
    NewAuthentication,
    NewChallenge,
    NewFactor,
)
from nightlatch.app.prompt.open import open_prompt
from nightlatch.app.prompt.session import Visit
from nightlatch.app.push.caller import Phone
from nightlatch.app.push.challenges import list_challenges
from nightlatch.app.push.messages import NewPairing
from nightlatch.app.push.pair import pair
from nightlatch.app.push.respond import respond
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Factor
from nightlatch.ports.store import UserKey
from tests.support.phones import PushPhone
from tests.support.ports import OPERATOR, SITE, World

CONTEXT = ContextIn(ip="192.0.2.1", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
BACK = "https://bank.example/back"

NTFY = {"ntfy": "https://ntfy.example/up"}

NO_TOPICS = (
    "", "/", "/up/x", "/up?email=victim%40example.com", "/up?call=%2B4915112345678", "/up?up=1&message=closed", "/up?up=2",
    "/v1/account/reservation", "/up#x", "/up%2Fx", "/../up", "/ü", "/up\n", "/" + "x" * 65, ".evil.example/up",
    "@evil.example/up", ":8443/up",
)  # fmt: skip
"""What may stand behind a server's address and is no topic there."""


@dataclass
class Held:
    """A person with a paired phone."""

    world: World
    bank: Caller
    phone: PushPhone

    async def begin(self, **fields: Any) -> str:
        """A sign-in that waits."""
        new = NewAuthentication(user="maya", context=CONTEXT, **fields)
        return (await authenticate(self.world.ports, self.bank, new)).id

    async def asked(self, authentication: str) -> tuple[dict[str, Any], str]:
        """The challenge as the phone is told of it, and the number."""
        new = NewChallenge(factor=self.phone.factor)
        opened = await open_challenge(self.world.ports, self.bank, authentication, new)
        assert opened.number is not None
        return await self.challenge(), opened.number

    async def challenge(self) -> dict[str, Any]:
        """What waits for the phone."""
        (waits,) = (await list_challenges(self.world.ports, Phone(self.phone.factor))).challenges
        plain: dict[str, Any] = msgspec.to_builtins(waits)
        return plain

    async def answer(self, challenge: dict[str, Any], decision: str, number: str | None = None) -> str:
        """What the server says to an answer."""
        response = self.phone.response(challenge, decision, number)
        return (await respond(self.world.ports, challenge["id"], response)).status

    async def factor(self) -> Factor:
        """The phone's row."""
        snapshot = await self.world.ports.store.load(UserKey(factor=self.phone.factor))
        return next(factor for factor in snapshot.factors if factor.id == self.phone.factor)


async def paired(world: World, enrollment: Any, **fields: Any) -> PushPhone:
    """A phone that took a code and answered its number."""
    phone = PushPhone(SITE.public_url, world.clock)
    body = msgspec.convert(phone.pairing(enrollment.code, **fields), NewPairing)
    challenge = phone.paired(msgspec.to_builtins(await pair(world.ports, body)))
    response = phone.response(challenge, "approve", enrollment.number)
    assert (await respond(world.ports, challenge["id"], response)).status == "approved"
    return phone


async def hold(world: World) -> Held:
    """Maya and her phone, which ntfy rings."""
    bank = await world.application()
    await world.person(bank)
    enrolled = await enroll_factor(world.ports, bank, "maya", NewFactor(kind=FactorKind.PUSH))
    phone = await paired(world, enrolled.enrollment, subscription=NTFY)
    await activate_factor(world.ports, bank, "maya", enrolled.id, Activation())
    return Held(world, bank, phone)


async def returning(world: World) -> Caller:
    """An application that people come back to."""
    new = NewApplication(name="shop", scopes=["admin"], return_urls=[BACK], first_factor="pwd")
    return await caller_by_key(world.ports, (await create_application(world.ports, OPERATOR, new)).api_key)


async def visiting(world: World, begun: AuthenticationAnswer) -> Visit:
    """A browser that opened a prompt."""
    assert begun.prompt_url is not None
    ticket = parse_qs(urlsplit(begun.prompt_url).query)["ticket"][0]
    secret = await open_prompt(world.ports, Visit(begun.id, None), ticket, CONTEXT.ip)
    return Visit(begun.id, secret)


async def hosted(maya: Held) -> Visit:
    """A browser at the hosted prompt of a sign-in."""
    new = NewAuthentication(user="maya", context=CONTEXT, return_url=BACK, state="state")
    return await visiting(maya.world, await authenticate(maya.world.ports, maya.bank, new))
