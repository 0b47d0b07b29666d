"""A phone that gets texts: what is queued for its number, read from the gateway's side."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
from sqlalchemy import text

from nightlatch.adapters.delivery.demo import DemoGateway
from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.challenge import open_challenge
from nightlatch.app.context import Caller
from nightlatch.app.deliver.dispatch import Dispatcher
from nightlatch.app.deliver.sms import SmsHandler
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.messages import (
    ActivatedFactor,
    Activation,
    AuthenticationAnswer,
    ChallengeAnswer,
    ContextIn,
    NewAuthentication,
    NewChallenge,
    NewFactor,
    NewVerification,
    VerificationAnswer,
)
from nightlatch.app.policy.apply import apply_policy
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Channel
from tests.support.ports import OPERATOR, World

NUMBER = "+491713920001"
"""Of the numbers that Germany keeps for films and books."""
OTHER_NUMBER = "+491713920077"

ALONE = """
mfa_enforcement: {all_users: true}
factors: {allowed: [totp, backup_codes, sms], sms: {only_with_alternative: false}}
"""


@dataclass
class TextPhone:
    """Whoever holds a number, and the gateway that sends to it."""

    world: World
    gateway: DemoGateway
    number: str = NUMBER

    @classmethod
    def of(cls, world: World, number: str = NUMBER) -> TextPhone:
        """With a gateway of its own."""
        return cls(world, DemoGateway(world.clock), number)

    async def texts(self) -> list[str]:
        """Deliver what waits; all texts to this number, newest first."""
        handlers = {Channel.SMS: SmsHandler([self.gateway], self.world.clock)}
        dispatcher = Dispatcher(self.world.ports, handlers)
        for message in await dispatcher.claim(Channel.SMS, 100):
            await dispatcher.deliver(message)
        return [text.text for text in self.gateway.texts(self.number)]

    async def code(self) -> str:
        """The code of the newest text."""
        return code_in((await self.texts())[0])

    async def begun(self, caller: Caller, user: str = "maya", **fields: str) -> str:
        """The id of a pending factor of this number."""
        new = msgspec.convert({"kind": "sms", "phone": self.number, **fields}, NewFactor)
        return (await enroll_factor(self.world.ports, caller, user, new)).id

    async def activated(self, caller: Caller, user: str = "maya", **fields: str) -> ActivatedFactor:
        """An active factor of this number."""
        factor = await self.begun(caller, user, **fields)
        activation = Activation(code=await self.code())
        active = await activate_factor(self.world.ports, caller, user, factor, activation)
        assert active.kind is FactorKind.SMS
        return active


def code_in(text: str) -> str:
    """The first six digits of a text that stand alone."""
    found = re.search(r"(?<!\d)\d{6}(?!\d)", text)
    assert found is not None, text
    return found[0]


def wrong(*codes: str) -> str:
    """Six digits that are none of these."""
    return next(code for code in (f"{n:06d}" for n in range(9)) if code not in codes)


async def bank_with_texts(world: World) -> Caller:
    """An application with a user, Maya, where texts may be the only way."""
    caller = await world.application()
    await world.person(caller)
    await apply_policy(world.ports, OPERATOR, ALONE, 0)
    return caller


async def begun(world: World, caller: Caller, user: str = "maya") -> AuthenticationAnswer:
    """A sign-in."""
    return await authenticate(world.ports, caller, NewAuthentication(user=user, context=ContextIn(ip="192.0.2.1")))


async def texted(world: World, caller: Caller, attempt: AuthenticationAnswer) -> ChallengeAnswer:
    """A text for this sign-in."""
    factor = next(f for f in attempt.factors if f.kind is FactorKind.SMS)
    return await open_challenge(world.ports, caller, attempt.id, NewChallenge(factor=factor.id))


async def answered(
    world: World, caller: Caller, attempt: AuthenticationAnswer, code: str, factor: str | None = None
) -> VerificationAnswer:
    """How this sign-in takes a code."""
    return await answer(world.ports, caller, attempt.id, NewVerification(code=code, factor=factor))


async def sends(world: World) -> list[tuple[bool, bool]]:
    """Of each text that was asked for: whether it was trusted, whether its code was proved."""
    statement = text("SELECT trusted, verified_at FROM sms_sends ORDER BY at, id")
    rows = await world.database.read(lambda connection: connection.execute(statement).all())
    return [(bool(trusted), verified_at is not None) for trusted, verified_at in rows]
