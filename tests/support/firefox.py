"""Firefox without a window, driven by Marionette, with a push service of ours in the place of Mozilla's."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from marionette_driver.marionette import Marionette  # type: ignore[import-untyped]  # ships no types

from tests.support.kept import free_port

COMMAND = "firefox-esr"
SECONDS_TO_START = 60
SECONDS_TO_END = 20


@contextmanager
def firefox(profile: Path, push_url: str) -> Iterator[Any]:
    """A browser that may notify, and is told of pushes by ``push_url``."""
    program = shutil.which(COMMAND)
    assert program is not None, f"{COMMAND} is missing: apt-get install --no-install-recommends {COMMAND}"
    port = free_port()
    preferences = {
        "marionette.port": port,
        "dom.push.serverURL": push_url,
        "dom.push.testing.allowInsecureServerURL": True,
        "dom.push.testing.ignorePermission": True,
        "permissions.default.desktop-notification": 1,
        "dom.push.connection.enabled": True,
        "dom.push.enabled": True,
        "dom.serviceWorkers.enabled": True,
        "network.manage-offline-status": False,
        "app.update.enabled": False,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "alerts.useSystemBackend": False,
    }
    lines = (f"user_pref({json.dumps(name)},{json.dumps(value)});\n" for name, value in preferences.items())
    (profile / "user.js").write_text("".join(lines))
    words = [program, "-headless", "-marionette", "-profile", str(profile), "-no-remote"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        driver = Marionette("127.0.0.1", port=port)
        driver.start_session()
        driver.timeout.implicit = 20
        driver.timeout.script = 20
        yield driver
        with suppress(Exception):
            driver.delete_session()
    finally:
        process.terminate()
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(SECONDS_TO_START * 10):
        assert process.poll() is None, f"{COMMAND} ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{COMMAND} did not listen within {SECONDS_TO_START} s")
