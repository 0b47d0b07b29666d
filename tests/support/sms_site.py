"""Nightlatch with the gateways of a configuration: everything that a server runs, on a port that gateways can reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from nightlatch.app.context import Caller
from nightlatch.app.deliver.messages import queue, stand
from nightlatch.app.messages import NewUser
from nightlatch.app.users.create import create_user
from nightlatch.bootstrap import Opened, open_everything
from nightlatch.bootstrap.gateways import readers_of
from nightlatch.bootstrap.server import web_settings
from nightlatch.config import Settings, load_settings
from nightlatch.domain.records import Channel, MessageStatus, OutboxMessage
from nightlatch.domain.time import MINUTE
from nightlatch.ports.store import Change, Outcome, UserKey
from nightlatch.web.app import build
from nightlatch.web.common.metrics import CountedOutbox, Metrics
from tests.support.api import serving
from tests.support.databases import new_id
from tests.support.kept import free_port

CALLER = Caller("system", scopes=frozenset({"admin"}))
NUMBER = "+491713920001"
WORDS = "602931 is your Meridian code."
METRICS_TOKEN = "a-token-of-sixteen"


@dataclass
class SmsSite:
    """A site that sends texts."""

    opened: Opened
    url: str

    async def text(
        self, words: str = WORDS, *, to: str = NUMBER, country: str = "DE", ttl: int = 5 * MINUTE
    ) -> OutboxMessage:
        """Queue a text to a new person."""
        ports = self.opened.ports
        user = await create_user(ports, CALLER, NewUser(username=new_id("person")))
        seen = await ports.store.load(UserKey(user=user.id))
        assert seen.user is not None
        message = queue(
            ports,
            ports.clock.now(),
            Channel.SMS,
            user=seen.user,
            payload={"to": to, "text": words},
            ttl=ttl,
            route={"country": country},
        )
        change = Change(root=user.id, expected=seen.version, new=(message,))
        assert await ports.store.commit(change) is Outcome.APPLIED
        return message

    async def becomes(self, message: OutboxMessage, *statuses: MessageStatus, within: float = 40) -> OutboxMessage:
        """Wait until it stands so."""
        async with asyncio.timeout(within):
            while (found := await stand(self.opened.ports, message.id)) is None or found.status not in statuses:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found

    async def counted(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of a metric by the values of their labels, in the order of the labels' names."""
        async with httpx.AsyncClient(timeout=30) as http:
            answer = await http.get(self.url + "/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"})
        found = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                if sample.name == name:
                    found[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
        return found

    async def counts(self, name: str, expected: Mapping[Any, float]) -> dict[tuple[str, ...], float]:
        """All samples of a metric, once these are there: what is stored is counted a moment later."""
        async with asyncio.timeout(20):
            while not expected.items() <= (found := await self.counted(name)).items():  # noqa: ASYNC110 (the server has it)
                await asyncio.sleep(0.02)
        return found


def sms_settings(
    database_url: str, folder: Path, configuration: str, secrets: Mapping[str, str] | None = None, *, port: int = 0
) -> Settings:
    """The settings of a file with this ``[sms]``; ``secrets`` are variables."""
    folder.mkdir(exist_ok=True)
    file = folder / "nightlatch.toml"
    file.write_text(configuration, "utf-8")
    flags = {
        "database_url": database_url,
        "data_dir": str(folder / "data"),
        "metrics_token": METRICS_TOKEN,
        "port": port,
    }
    return load_settings(flags, file=file, environ=secrets or {})


@asynccontextmanager
async def sms_site(
    database_url: str, folder: Path, configuration: str, secrets: Mapping[str, str] | None = None
) -> AsyncIterator[SmsSite]:
    """Serve with this ``[sms]``; ``secrets`` are variables."""
    port = free_port()
    settings = sms_settings(database_url, folder, configuration, secrets, port=port)
    metrics = Metrics()
    async with open_everything(settings, wrap_outbox=lambda outbox: CountedOutbox(outbox, metrics)) as opened:
        receipts = readers_of(opened.outlets.texts)
        app = build(opened.ports, web_settings(settings), metrics=metrics, receipts=receipts)
        async with serving(app, port=port) as (url, _):
            yield SmsSite(opened, url)
