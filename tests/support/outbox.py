"""Messages in the outbox, and gateways that tests hold in their hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nightlatch.adapters.sql.store import SqlStore
from nightlatch.app.deliver.dispatch import Dispatcher, Handler
from nightlatch.app.deliver.messages import queue, stand
from nightlatch.app.deliver.sms import SmsHandler
from nightlatch.domain import ids
from nightlatch.domain.records import Channel, OutboxMessage, User
from nightlatch.domain.time import MINUTE
from nightlatch.ports.delivery import Accepted, NotSent, Text
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.databases import NOW, a_user, new_id
from tests.support.ports import World

NUMBER = "+4915112345678"
CODE = "602931"
ATTEMPT = "atn_019b2dcd7c007000800000000000000a"


def a_message(user: User, **fields: Any) -> OutboxMessage:
    """A text that waits."""
    at = fields.get("created_at", NOW)
    chosen: dict[str, Any] = {
        "channel": Channel.SMS, "sealed": b"sealed", "route": {"country": "DE"}, "due_at": at, "created_at": at,
        "expires_at": at + 5 * MINUTE,
    } | fields  # fmt: skip
    return OutboxMessage(id=new_id(ids.MESSAGE, at), root=user.id, user_id=user.id, **chosen)


async def keep_messages(store: SqlStore, count: int = 1, **fields: Any) -> tuple[User, list[OutboxMessage]]:
    """A person to whom so many messages wait, in order of age; their root stands at version 1."""
    user = a_user(new_id("name"))
    messages = [a_message(user, **fields) for _ in range(count)]
    assert await store.commit(Change(root=user.id, expected=0, new=(user, *messages))) is Outcome.APPLIED
    return user, messages


class Gateway:
    """A gateway that does what the test says: takes texts, or raises what ``failure`` holds."""

    def __init__(self, name: str = "first") -> None:
        self.name = name
        self.taken: list[Text] = []
        self.tried = 0
        self.asked = 0
        self.failure: BaseException | None = None
        self.well = True
        self.before: Callable[[], Awaitable[None]] | None = None

    async def send(self, text: Text) -> Accepted:
        """Take it, or not."""
        self.tried += 1
        if self.before is not None:
            await self.before()
        if self.failure is not None:
            raise self.failure
        self.taken.append(text)
        return Accepted(reference=f"{self.name}-{len(self.taken)}")

    async def healthy(self) -> bool:
        """As the test says."""
        self.asked += 1
        return self.well

    async def close(self) -> None:
        """Nothing is open."""

    def ids(self) -> Sequence[str]:
        """Of the texts that were taken, in order."""
        return [text.id for text in self.taken]


def refusal(*, permanent: bool = False, uncertain: bool = False) -> NotSent:
    """A reason not to send."""
    return NotSent("refused", permanent=permanent, uncertain=uncertain)


@dataclass
class TwoGateways:
    """Somebody who sends to one person, through two gateways."""

    world: World
    user: User
    first: Gateway = field(default_factory=lambda: Gateway("first"))
    second: Gateway = field(default_factory=lambda: Gateway("second"))

    def dispatcher(self, handler: Handler | None = None, **more: Any) -> Dispatcher:
        """Texts go through both gateways, unless through another handler."""
        usual = SmsHandler((self.first, self.second), self.world.clock, **more)
        return Dispatcher(self.world.ports, {Channel.SMS: handler or usual})

    async def queued(self, count: int = 1, ttl: int = 5 * MINUTE, **fields: Any) -> list[OutboxMessage]:
        """Texts in one change of this person."""
        ports, now = self.world.ports, self.world.clock.now()
        chosen: dict[str, Any] = {
            "channel": Channel.SMS, "payload": {"to": NUMBER, "text": f"{CODE} is your code."}, "about": "chl_1",
            "authentication_id": ATTEMPT, "route": {"country": "DE", "application": "app_1"},
        } | fields  # fmt: skip
        messages = [queue(ports, now, user=self.user, ttl=ttl, **chosen) for _ in range(count)]
        seen = await ports.store.load(UserKey(user=self.user.id))
        change = Change(root=self.user.id, expected=seen.version, new=tuple(messages))
        assert await ports.store.commit(change) is Outcome.APPLIED
        return messages

    async def stand(self, message: OutboxMessage) -> OutboxMessage:
        """As it stands."""
        found = await stand(self.world.ports, message.id)
        assert found is not None
        return found

    async def round(self, dispatcher: Dispatcher) -> Sequence[OutboxMessage]:
        """Deliver what is due, one after the other."""
        claimed = await dispatcher.claim(Channel.SMS, 100)
        for message in claimed:
            await dispatcher.deliver(message)
        return claimed

    async def events(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        """What the audit log says of messages."""
        every = await self.world.events()
        told = [event for event in every if event.type.startswith("message:")]
        assert all((event.user, event.actor) == (self.user.id, "system") for event in told)
        return [(event.type, event.reason, event.data) for event in told]


async def two_gateways(world: World) -> TwoGateways:
    """For somebody new."""
    caller = await world.application()
    person = await world.person(caller)
    user = (await world.ports.store.load(UserKey(user=person.id))).user
    assert user is not None
    return TwoGateways(world, user)
