"""The outbox as bootstrap wires it: woken by a commit, re-sealed by a rotation, swept after its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from nightlatch.adapters.runner import runner
from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.adapters.sql.outbox import SqlOutbox
from nightlatch.adapters.sql.retention import KEEP_MESSAGES, Retention
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.tables import OUTBOX, SMS_SENDS
from nightlatch.adapters.system import SystemEntropy
from nightlatch.app.context import Caller, Ports
from nightlatch.app.deliver.dispatch import Dispatcher
from nightlatch.app.deliver.messages import message_place, queue, stand
from nightlatch.app.deliver.sms import SmsHandler
from nightlatch.app.keys.reseal import reseal_message
from nightlatch.app.keys.rotate import begin_rotation, finish_rotation
from nightlatch.app.messages import NewUser
from nightlatch.app.users.create import create_user
from nightlatch.bootstrap import Opened, open_everything
from nightlatch.bootstrap.delivery import Outlets
from nightlatch.config import Settings, load_settings
from nightlatch.domain import ids
from nightlatch.domain.crypto.sealing import key_id_of, seal
from nightlatch.domain.errors import Conflict, Unavailable
from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage, SmsSend
from nightlatch.domain.time import DAY, MINUTE, SECOND
from nightlatch.ports.outbox import Mark
from nightlatch.ports.store import Change, Outcome, UserKey
from tests.support.databases import NOW, a_user, new_id
from tests.support.outbox import Gateway, a_message, keep_messages, refusal
from tests.support.ports import SetClock
from tests.support.postgres import PostgresServer

CALLER = Caller("system", scopes=frozenset({"admin"}))


@asynccontextmanager
async def serving(url: str, folder: Path, gateway: Gateway, clock: SetClock | None = None) -> AsyncIterator[Opened]:
    """Everything that a server runs beside requests, with one gateway."""

    async def outlets(_settings: Settings, _ports: Ports, _stack: AsyncExitStack) -> Outlets:
        return Outlets(texts=(gateway,))

    settings = load_settings({"database_url": url, "data_dir": str(folder)}, alone=True)
    async with open_everything(settings, clock=clock, outlets=outlets) as opened:
        yield opened


async def queued(ports: Ports, ttl: int = 5 * MINUTE, channel: Channel = Channel.SMS) -> OutboxMessage:
    """A text to a new person."""
    user = await create_user(ports, CALLER, NewUser(username=new_id("person")))
    seen = await ports.store.load(UserKey(user=user.id))
    assert seen.user is not None
    payload = {"to": "+4915112345678", "text": "602931 is your code."}
    message = queue(ports, ports.clock.now(), channel, user=seen.user, payload=payload, ttl=ttl)
    change = Change(root=user.id, expected=seen.version, new=(message,))
    assert await ports.store.commit(change) is Outcome.APPLIED
    return message


async def becomes(ports: Ports, message: OutboxMessage, status: MessageStatus) -> None:
    """Wait until it stands so."""
    async with asyncio.timeout(20):
        while (found := await stand(ports, message.id)) is None or found.status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_commit_wakes_the_dispatcher(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the next look, which is a minute away here."""
    monkeypatch.setattr(runner, "LOOK_EVERY", MINUTE)
    gateway = Gateway()
    async with serving(database_url, tmp_path / "data", gateway) as opened:
        for _ in range(3):
            await becomes(opened.ports, await queued(opened.ports), MessageStatus.SENT)
    assert len(gateway.taken) == 3


async def test_what_nobody_could_send_expires_by_itself(sqlite_url: str, tmp_path: Path) -> None:
    """Within a second or two of its time."""
    gateway = Gateway()
    gateway.failure = refusal()
    async with serving(sqlite_url, tmp_path / "data", gateway) as opened:
        await becomes(opened.ports, await queued(opened.ports, ttl=5 * SECOND), MessageStatus.EXPIRED)
    assert gateway.tried > 1


async def test_a_stop_waits_for_what_is_under_way(sqlite_url: str, tmp_path: Path) -> None:
    """It is marked before the store closes."""
    gateway = Gateway()
    begun = asyncio.Event()

    async def slowly() -> None:
        begun.set()
        await asyncio.sleep(0.3)

    gateway.before = slowly
    async with serving(sqlite_url, tmp_path / "data", gateway) as opened:
        message = await queued(opened.ports)
        await begun.wait()
    async with serving(sqlite_url, tmp_path / "data", gateway) as opened:
        await becomes(opened.ports, message, MessageStatus.SENT)
    assert gateway.ids() == [message.id]


@pytest.mark.requirement("K5")
async def test_a_rotation_seals_what_waits_anew(database_url: str, tmp_path: Path) -> None:
    """Old keys are kept until then; what is sent meanwhile is left alone."""
    clock, gateway = SetClock(), Gateway()
    gateway.failure = refusal()
    async with serving(database_url, tmp_path / "data", gateway, clock) as opened:
        ports = opened.ports
        message = await queued(ports, ttl=DAY)
        rotation = await begin_rotation(ports, CALLER, opened.keys, opened.resealing)
        clock.at = rotation.settles_at
        await opened.shared.look()
        assert await opened.resealing.messages(rotation.key_id, after="", limit=10) == [message.id]
        with pytest.raises(Conflict):
            await finish_rotation(ports, CALLER, opened.resealing, rotation)

        assert await reseal_message(ports, message.id)
        assert not await reseal_message(ports, message.id)
        assert not await reseal_message(ports, new_id(ids.MESSAGE))
        assert not await ports.outbox.reseal(message, b"late")
        assert await opened.resealing.messages(rotation.key_id, after="", limit=10) == []
        waits = await stand(ports, message.id)
        assert waits is not None
        assert key_id_of(waits.sealed or b"") == rotation.key_id

        gateway.failure = None
        clock.advance(MINUTE)
        await becomes(ports, message, MessageStatus.SENT)
    assert [text.text for text in gateway.taken] == ["602931 is your code."]


async def test_messages_are_swept_after_ninety_days(database: Database, store: SqlStore) -> None:
    """With what statistics keep of texts."""
    user = a_user("maya")
    made: list[OutboxMessage | SmsSend] = []
    for at in (NOW - KEEP_MESSAGES - 1000, NOW - KEEP_MESSAGES + MINUTE):
        message = a_message(user, created_at=at)
        text = SmsSend(
            id=message.id, user_id=user.id, application_id=None, challenge_id="chl_1", number_hash=b"n",
            prefix="+49151", country="DE", trusted=False, at=at,
        )  # fmt: skip
        made += [message, text]
    await store.commit(Change(root=user.id, expected=0, new=(user, *made)))

    swept = await Retention(database, SetClock(NOW)).run_once()

    assert (swept["outbox"], swept["sms_sends"]) == (1, 1)
    counts = [select(func.count()).select_from(kept.table) for kept in (OUTBOX, SMS_SENDS)]
    left = await database.read(lambda connection: [connection.execute(count).scalar_one() for count in counts])
    assert left == [1, 1]


async def test_a_mark_survives_lost_connections(postgres: PostgresServer, migrated_postgres_url: str) -> None:
    """The gateway took the text, so the mark is repeated until it is stored: nothing is sent twice for it."""
    database = open_database(migrated_postgres_url)
    store, outbox = SqlStore(database), SqlOutbox(database, SetClock(NOW), SystemEntropy())
    await keep_messages(store, 20)
    claimed = await outbox.claim(Channel.SMS, limit=20, lease=MINUTE)
    name = migrated_postgres_url.rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    async def mark(message: OutboxMessage) -> int:
        assert message.lease is not None
        return await outbox.mark([Mark(id=message.id, lease=message.lease, status=MessageStatus.SENT)])

    marking = asyncio.gather(*map(mark, claimed))
    await asyncio.to_thread(postgres.sql, cut)
    await marking

    # A connection of the pool that has not told its end yet answers that the database does not.
    patient = AsyncRetrying(retry=retry_if_exception_type(Unavailable), stop=stop_after_attempt(20))
    found: Sequence[OutboxMessage] = await patient(outbox.look, [message.id for message in claimed])
    assert {message.status for message in found} == {MessageStatus.SENT}
    await outbox.close()
    await store.close()
    await database.close()


async def test_a_payload_under_a_key_that_is_not_loaded_yet_waits(sqlite_url: str, tmp_path: Path) -> None:
    """Another process made the key a moment ago: the message is tried again when ours are reloaded."""
    gateway = Gateway()
    async with serving(sqlite_url, tmp_path / "data", gateway) as opened:
        ports = opened.ports
        message = await queued(ports)
        await becomes(ports, message, MessageStatus.SENT)
        dispatcher = Dispatcher(ports, {Channel.SMS: SmsHandler((gateway,), ports.clock)})
        other = await queued(ports, channel=Channel.PUSH)  # which this server does not deliver
        (claimed,) = await dispatcher.claim(Channel.PUSH, 1)
        sealed = seal(bytes(32), "dk_unknown", b"{}", aad=message_place(other.id, other.user_id), nonce=bytes(12))
        await dispatcher.deliver(msgspec.structs.replace(claimed, channel=Channel.SMS, sealed=sealed))
        found = await stand(ports, other.id)
    assert found is not None
    assert (found.status, found.error, found.sealed is None) == (MessageStatus.WAITING, "unknown_key", False)
