"""Messages in the outbox, and gateways that tests hold in their hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nightlatch.adapters.sql.store import SqlStore
from nightlatch.domain import ids
from nightlatch.domain.records import Channel, OutboxMessage, User
from nightlatch.domain.time import MINUTE
from nightlatch.ports.delivery import Accepted, NotSent, Text
from nightlatch.ports.store import Change, Outcome
from tests.support.databases import NOW, a_user, new_id


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
