"""What was sent, what arrived, whose code was typed, and what it cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from nightlatch.app.context import Ports
from nightlatch.app.messages import Answer
from nightlatch.domain.sms.prices import Prices
from nightlatch.domain.time import SECOND, moment
from nightlatch.ports.texts import TextFigures


class TextRow(Answer, frozen=True, kw_only=True):
    """Texts to one prefix. ``cost`` is estimated for those that a gateway took; None without a price.

    ``latency`` is the mean of seconds until the receipt.
    """

    country: str
    prefix: str
    asked: int
    sent: int
    delivered: int
    failed: int
    verified: int
    latency: float | None
    cost: Decimal | None
    gateways: dict[str, int]


class PausedPrefix(Answer, frozen=True, kw_only=True):
    """A prefix to which nothing is sent for now."""

    prefix: str
    reason: str
    until: dt.datetime


class TextStatistics(Answer, frozen=True, kw_only=True):
    """``only_by_text``: people whose only way to sign in is a text, of ``people`` who have any."""

    since: dt.datetime
    until: dt.datetime
    currency: str | None
    cost: Decimal | None
    rows: list[TextRow]
    paused: list[PausedPrefix]
    only_by_text: int
    people: int


async def text_statistics(ports: Ports, *, since: int, until: int | None = None) -> TextStatistics:
    """Figures of the texts asked for between two instants; until now where no end is named."""
    now = ports.clock.now()
    records, prices = ports.texts, ports.prices
    end = until or now
    rows = rows_of(await records.figures(since, end), prices)
    costs = [row.cost for row in rows if row.cost is not None]
    few, people = await records.only_by_text()
    return TextStatistics(
        since=moment(since),
        until=moment(end),
        currency=prices.currency if prices else None,
        cost=sum(costs, Decimal(0)) if prices else None,
        rows=rows,
        paused=[
            PausedPrefix(prefix=pause.prefix, reason=pause.reason, until=moment(pause.until))
            for pause in await records.pauses()
            if pause.until > now
        ],
        only_by_text=few,
        people=people,
    )


def rows_of(figures: Sequence[TextFigures], prices: Prices | None) -> list[TextRow]:
    """One row a prefix, the dearest first."""
    places = dict.fromkeys((figure.country, figure.prefix) for figure in figures)
    rows = [
        _row(country, prefix, [f for f in figures if (f.country, f.prefix) == (country, prefix)], prices)
        for country, prefix in places
    ]
    return sorted(rows, key=lambda row: (-(row.cost or 0), -row.sent, row.prefix))


def _row(country: str, prefix: str, figures: Sequence[TextFigures], prices: Prices | None) -> TextRow:
    sent, delivered = sum(f.handed_over for f in figures), sum(f.delivered for f in figures)
    price = prices.of(country) if prices else None
    timed = [(f.latency, f.delivered) for f in figures if f.latency is not None and f.delivered]
    latency = sum(mean * count for mean, count in timed) / sum(count for _, count in timed) if timed else None
    return TextRow(
        country=country,
        prefix=prefix,
        asked=sum(f.asked for f in figures),
        sent=sent,
        delivered=delivered,
        failed=sum(f.failed for f in figures),
        verified=sum(f.verified for f in figures),
        latency=None if latency is None else round(latency / SECOND, 3),
        cost=None if price is None else price * sent,
        gateways={f.gateway: f.handed_over for f in figures if f.gateway},
    )
