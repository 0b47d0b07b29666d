"""What is counted: requests, and what was decided, proved and refused."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from nightlatch.domain.records import Event
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey

M = TypeVar("M", Counter, Histogram)

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds; the last ones are long-polls."""

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
