"""What is counted: requests, and what was decided, proved and refused."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from nightlatch.domain.records import Channel, Event, MessageStatus, OutboxMessage
from nightlatch.domain.time import SECOND
from nightlatch.ports.outbox import Mark, Outbox, Receipt, Tell
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey

M = TypeVar("M", Counter, Histogram)

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds; the last ones are long-polls."""

DELIVERY_BUCKETS = (0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 900)
"""Seconds; a code is worth nothing after 300."""

MESSAGE = "message:"

_MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The counters of one server process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        # Looking a counter up by its labels costs more than counting; there are few sets of labels, all of them ours.
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._requests = Counter(
            "nightlatch_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "nightlatch_request_seconds",
            "How long requests took.",
            ("route",),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._decisions = Counter(
            "nightlatch_decisions", "What policy decided.", ("decision",), registry=self._registry
        )
        self._verifications = Counter(
            "nightlatch_verifications", "Answers judged.", ("kind", "result"), registry=self._registry
        )
        self._messages = Counter(
            "nightlatch_messages",
            "Texts and mails: sent, delivered, dead or expired.",
            ("channel", "gateway", "country", "outcome"),
            registry=self._registry,
        )
        self._delivery = Histogram(
            "nightlatch_delivery_seconds",
            "From the request to the receipt that tells of the delivery.",
            ("channel", "gateway"),
            buckets=DELIVERY_BUCKETS,
            registry=self._registry,
        )
        self._events = Counter(
            "nightlatch_events", "Audit events stored.", ("type", "outcome"), registry=self._registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._of(self._requests, method, route, str(status)).inc()
        self._of(self._seconds, route).observe(seconds)

    def event(self, event: Event) -> None:
        """Count what an audit event tells."""
        self._of(self._events, event.type, event.outcome).inc()
        decision = event.data.get("decision")
        if isinstance(decision, str):
            self._of(self._decisions, decision).inc()
        if event.factor_kind is not None and event.authentication_id is not None:
            result = event.reason or event.outcome
            self._of(self._verifications, str(event.factor_kind), result).inc()

    def message(self, event: Event) -> None:
        """Count what the audit event of a message tells."""
        self.event(event)
        channel, gateway, country = (str(event.data.get(name) or "") for name in ("channel", "gateway", "country"))
        self._of(self._messages, channel, gateway, country, event.type.removeprefix(MESSAGE)).inc()

    def receipt(self, message: OutboxMessage) -> None:
        """Count what a receipt made of a message."""
        channel, gateway = message.channel.value, message.gateway or ""
        country = str(message.route.get("country") or "")
        self._of(self._messages, channel, gateway, country, message.status.value).inc()
        if message.status is MessageStatus.DELIVERED and message.done_at is not None:
            seconds = max(0, message.done_at - message.created_at) / SECOND
            self._of(self._delivery, channel, gateway).observe(seconds)

    def _of(self, metric: M, *labels: str) -> M:
        found: M | None = self._kept.get((id(metric), *labels))
        if found is None:
            found = self._kept[id(metric), *labels] = metric.labels(*labels)
        return found

    def page(self) -> bytes:
        """All counters in Prometheus' text format, those of sibling processes included."""
        if _MULTIPROCESS not in os.environ:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]  # prometheus-client is untyped there
        return generate_latest(everybody)


class CountedStore:
    """A store that counts the events it was given to keep, once they are kept."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def load(self, key: UserKey) -> Snapshot:
        """As the store does."""
        return await self._store.load(key)

    async def commit(self, change: Change) -> Outcome:
        """As the store does."""
        outcome = await self._store.commit(change)
        if outcome is Outcome.APPLIED:
            for event in change.events:
                self._metrics.event(event)
        return outcome

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        """As the store gives it."""
        return self._store.turn(root)


class CountedOutbox:
    """An outbox that counts what became of messages, once that is stored."""

    def __init__(self, outbox: Outbox, metrics: Metrics) -> None:
        self._outbox = outbox
        self._metrics = metrics

    async def claim(self, channel: Channel, *, limit: int, lease: int) -> Sequence[OutboxMessage]:
        """As the outbox does."""
        return await self._outbox.claim(channel, limit=limit, lease=lease)

    async def lapse(self, *, limit: int, lease: int) -> Sequence[OutboxMessage]:
        """As the outbox does."""
        return await self._outbox.lapse(limit=limit, lease=lease)

    async def mark(self, marks: Sequence[Mark]) -> int:
        """As the outbox does. Where a lease was lost, somebody else counts."""
        held = await self._outbox.mark(marks)
        if held == len(marks):
            for event in (event for mark in marks for event in mark.events):
                self._metrics.message(event)
        return held

    async def receive(self, receipts: Sequence[Receipt], tell: Tell) -> Sequence[OutboxMessage]:
        """As the outbox does."""
        return self._counted(await self._outbox.receive(receipts, tell))

    async def settle(self, tell: Tell) -> Sequence[OutboxMessage]:
        """As the outbox does."""
        return self._counted(await self._outbox.settle(tell))

    async def reseal(self, message: OutboxMessage, sealed: bytes) -> bool:
        """As the outbox does."""
        return await self._outbox.reseal(message, sealed)

    async def look(self, ids: Sequence[str]) -> Sequence[OutboxMessage]:
        """As the outbox does."""
        return await self._outbox.look(ids)

    async def waiting(self) -> Mapping[Channel, int]:
        """As the outbox does."""
        return await self._outbox.waiting()

    def _counted(self, moved: Sequence[OutboxMessage]) -> Sequence[OutboxMessage]:
        for message in moved:
            self._metrics.receipt(message)
        return moved
