"""Power cuts: what was answered holds, and a code that was accepted never opens anything again."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.bank import CONTEXT, Bank, Presser, opened_bank
from tests.support.installation import WITHIN, Installation

SECONDS_UNDER_LOAD = 3


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    return Installation(tmp_path / "data", url)


@pytest.mark.requirement("T4", "T8", "G1", "G3")
def test_after_a_crash_under_load_no_accepted_code_works_again_and_no_event_is_missing(
    installation: Installation,
) -> None:
    workers = ["--workers", "2"] if installation.database else []
    answered: list[tuple[Presser, str, dict[str, Any]]] = []
    with installation.serving(*workers) as server:
        bank = opened_bank(installation, server)
        for number in range(6):
            bank.join(f"person-{number}")
        crashed = threading.Event()

        def press_until_the_end(presser: Presser) -> None:
            while not crashed.is_set():
                code = presser.press()
                try:
                    answer = bank.post("/v1/verify", {"user": presser.username, "code": code, "context": CONTEXT})
                    answered.append((presser, code, answer.json()))
                except (httpx.HTTPError, json.JSONDecodeError):
                    return

        crowd = [threading.Thread(target=press_until_the_end, args=(presser,)) for presser in bank.people]
        for thread in crowd:
            thread.start()
        time.sleep(SECONDS_UNDER_LOAD)
        server.kill()
        crashed.set()
        for thread in crowd:
            thread.join(WITHIN)

    accepted = [(presser, code, answer["id"]) for presser, code, answer in answered if answer["status"] == "approved"]
    assert len(accepted) == len(answered) > 20
    with installation.serving(*workers) as server:
        bank.server = server
        assert _replayed(bank, accepted) == set()
        time.sleep(1)
        done = installation.run("audit", "export", "--type", "authentication:approved")
        events = [json.loads(line) for line in done.out.splitlines()]
        told = {event["authentication"] for event in events}
        assert {authentication for _, _, authentication in accepted} <= told
        every = [json.loads(line)["seq"] for line in installation.run("audit", "export").out.splitlines()]
        assert every == list(range(1, len(every) + 1))


def _replayed(bank: Bank, accepted: list[tuple[Presser, str, str]]) -> set[str]:
    """Codes that open something once more: the newest of each person, which a lost counter would let in first."""
    newest = {presser.username: code for presser, code, _ in accepted}
    opened = set()
    for username, code in newest.items():
        answer = bank.post("/v1/verify", {"user": username, "code": code, "context": CONTEXT})
        assert answer.status_code == 200, answer.text
        if answer.json()["status"] != "rejected":
            opened.add(code)
    return opened
