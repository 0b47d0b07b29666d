"""A push all the way: our server encrypts, a push service passes on, Firefox decrypts, the phone approves."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from nightlatch.testing import CONTEXT, Server, serving
from tests.support.firefox import firefox
from tests.support.push_service import PushService, push_service


def says(driver: Any, words: str, *, within: float = 30) -> None:
    """Wait until the page says so."""
    ends = time.monotonic() + within
    shown = ""
    while time.monotonic() < ends:
        shown = driver.execute_script("return document.body.innerText", sandbox=None)
        if words in shown:
            return
        time.sleep(0.1)
    raise AssertionError(f"{words!r} is not in: {shown}")


def press(driver: Any, words: str) -> None:
    """Press the button with these words."""
    script = (
        "const b = [...document.querySelectorAll('button')].find(b => b.innerText.trim() === arguments[0]); b.click()"
    )
    driver.execute_script(script, script_args=(words,), sandbox=None)


def fill(driver: Any, text: str) -> None:
    """Type into the number's field."""
    driver.execute_script("document.querySelector('#number').value = arguments[0]", script_args=(text,), sandbox=None)


def notified(driver: Any, *, within: float = 20) -> list[list[str]]:
    """What the browser shows as notifications."""
    script = (
        "const done = arguments[0]; navigator.serviceWorker.getRegistration('/authenticator')"
        ".then(r => r.getNotifications()).then(found => done(found.map(n => [n.title, n.body])))"
    )
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        found: list[list[str]] = driver.execute_async_script(script, sandbox=None)
        if found:
            return found
        time.sleep(0.1)
    return []


def pair_and_approve(server: Server, service: PushService, profile: Path) -> None:
    """The person's part, and the application's."""
    server.call("POST", "/v1/users", {"username": "fenna"})
    factor = server.call("POST", "/v1/users/fenna/factors", {"kind": "push"})
    with firefox(profile, service.browser_url) as driver:
        driver.navigate(factor["enrollment"]["uri"])
        says(driver, "Name this phone.")
        press(driver, "Set up this phone")
        says(driver, "Enter the number beside the picture.")
        fill(driver, factor["enrollment"]["number"])
        press(driver, "Confirm")
        says(driver, "Nothing is waiting.")
        server.call("POST", f"/v1/users/fenna/factors/{factor['id']}/activation", {})
        rung(driver)
        assert service.channels, "the browser subscribed"
        driver.navigate("about:blank")  # the phone lies on the table
        attempt = asked(server, service, factor["id"])
        driver.navigate(f"{server.url}/authenticator")
        found = notified(driver)
        assert len(found) == 1
        assert "tests" in " ".join(found[0])
        assert attempt["number"] not in " ".join(found[0])
        says(driver, "Signing in to")
        fill(driver, attempt["number"])
        press(driver, "Approve")
        says(driver, "Approved.")
    done = server.call("GET", f"/v1/authentications/{attempt['id']}")
    assert (done["status"], bool(done["assertion"])) == ("approved", True)
    assert service.refused == []


def rung(driver: Any, *, within: float = 30) -> None:
    """Wait until the phone has told its server where it is rung: it keeps what it told."""
    script = """
      const done = arguments[0];
      indexedDB.open("nightlatch-authenticator").onsuccess = (opened) => {
        const kept = opened.target.result;
        kept.transaction("accounts").objectStore("accounts").getAll().onsuccess = (read) => {
          kept.close();
          done(read.target.result.every((account) => account.told));
        };
      };
    """
    ends = time.monotonic() + within
    while not driver.execute_async_script(script, sandbox=None):
        assert time.monotonic() < ends, "the phone told its server"
        time.sleep(0.1)


def asked(server: Server, service: PushService, factor: str) -> dict[str, str]:
    """Ask for an approval; wait until the push has left."""
    ends = time.monotonic() + 30
    body = {"user": "fenna", "context": CONTEXT, "first_factor": "pwd"}
    attempt = server.call("POST", "/v1/authentications", body)["id"]
    number = server.call("POST", f"/v1/authentications/{attempt}/challenges", {"factor": factor})["number"]
    while not service.listener.requests and time.monotonic() < ends:
        time.sleep(0.1)
    assert service.listener.requests, "the push was posted"
    return {"id": attempt, "number": number}


@pytest.mark.requirement("P7", "P8", "P9")
async def test_a_push_reaches_firefox_and_is_approved(tmp_path: Path) -> None:
    """Nothing is imitated but the push service, and that one checks who sends."""
    (tmp_path / "profile").mkdir()
    async with push_service(int(time.time())) as service:
        settings = f'[push]\nservices = ["{service.url}"]\ncontact = "mailto:ops@example.org"\n'

        def run() -> None:
            with serving(tmp_path / "server", settings=settings) as server:
                pair_and_approve(server, service, tmp_path / "profile")

        await asyncio.to_thread(run)
