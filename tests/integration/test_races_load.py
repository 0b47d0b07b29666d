"""Long mixed load: at its end the counters in the database are what the answers said."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.support.load import Load, check, read_kept
from tests.support.server import Client, Site

SEED = 20260714


@pytest.mark.requirement("T4", "T8", "G1", "H1", "H3", "H4")
async def test_answers_events_and_counters_tell_one_story(site: Site, client: Client) -> None:
    """Sign-ins of few people by many, so that they collide: right, wrong, repeated, in one call and in several."""
    people = list(await asyncio.gather(*(client.with_hotp() for _ in range(8))))
    load = Load(client, people, SEED)

    await load.run(tasks=24, each=30)

    said = Counter(answer.said for answer in load.answers)
    assert said["unknown"] == 0
    assert min(said["approved"], said["wrong_code"]) >= 100, said
    async with site.rows() as rows:
        check(await read_kept(rows), load.answers, people)
