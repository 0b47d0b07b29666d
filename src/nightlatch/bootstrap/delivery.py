"""Wire the outbox: who is woken when something was queued, through what it leaves, and the work beside requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from nightlatch.adapters.runner import Runner
from nightlatch.adapters.sql.periodic import Periodic
from nightlatch.app.context import Ports
from nightlatch.app.deliver.dispatch import LAPSED, Dispatcher, Handler
from nightlatch.app.deliver.mail import MailHandler
from nightlatch.app.deliver.push import PushHandler
from nightlatch.app.deliver.receipts import settle_receipts
from nightlatch.app.deliver.sms import SmsHandler
from nightlatch.app.push.prune import prune_subscription
from nightlatch.app.texts.watch import look_for_pumping
from nightlatch.domain.records import Channel, OutboxMessage
from nightlatch.domain.sms.routing import Route
from nightlatch.domain.time import MINUTE, SECOND
from nightlatch.ports.delivery import MailTransport, PushTransport, SmsGateway, SmsVeto
from nightlatch.ports.ephemeral import LocalWakeUps
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey


@dataclass(frozen=True)
class Outlets:
    """What messages leave through. A channel without any keeps its messages until they are too old."""

    texts: Sequence[SmsGateway] = ()
    routes: Sequence[Route] = ()
    veto: SmsVeto | None = None
    mail: MailTransport | None = None
    phones: Mapping[str, PushTransport] = field(default_factory=dict)

    def handlers(self, ports: Ports) -> dict[Channel, Handler]:
        """A handler for each channel that has a way out."""
        handlers: dict[Channel, Handler] = {}
        clock = ports.clock
        if self.texts:
            handlers[Channel.SMS] = SmsHandler(self.texts, clock, routes=self.routes)
        if self.mail is not None:
            handlers[Channel.MAIL] = MailHandler(self.mail)
        if self.phones:
            handlers[Channel.PUSH] = PushHandler(self.phones, partial(prune_subscription, ports))
        return handlers


class WakingStore:
    """A store that wakes this process's dispatcher when a change with a message in it was committed.

    No other process is told: each looks for what is left every second.
    """

    def __init__(self, store: Store, wakeups: LocalWakeUps) -> None:
        self._store = store
        self._wakeups = wakeups

    async def load(self, key: UserKey) -> Snapshot:
        """As the store does."""
        return await self._store.load(key)

    async def commit(self, change: Change) -> Outcome:
        """As the store does."""
        outcome = await self._store.commit(change)
        if outcome is Outcome.APPLIED:
            for channel in {record.channel for record in change.new if isinstance(record, OutboxMessage)}:
                self._wakeups.wake(wake_key(channel))
        return outcome

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        """As the store gives it."""
        return self._store.turn(root)


def wake_key(channel: Channel) -> str:
    """What the runner of a channel listens to."""
    return f"outbox:{channel.value}"


@asynccontextmanager
async def delivering(ports: Ports, outlets: Outlets, wakeups: LocalWakeUps) -> AsyncIterator[None]:
    """Deliver what is queued, here or elsewhere, until the end; then finish what is under way."""
    dispatcher = Dispatcher(ports, outlets.handlers(ports))
    runners = [
        Runner(
            wake_key(channel),
            partial(dispatcher.claim, channel),
            dispatcher.deliver,
            wakeups=wakeups,
            key=wake_key(channel),
        )
        for channel in dispatcher.channels
    ]
    tidying = [
        Periodic("outbox: expiry", dispatcher.lapse, every=SECOND, full=LAPSED),
        Periodic("outbox: receipts", partial(settle_receipts, ports), every=SECOND, full=1),
        Periodic("texts: pumping", partial(look_for_pumping, ports), every=MINUTE, full=1_000),
    ]
    parts: list[Runner[OutboxMessage] | Periodic] = [*runners, *tidying]
    for part in parts:
        part.start()
    try:
        yield
    finally:
        await asyncio.gather(*(part.stop() for part in parts))
