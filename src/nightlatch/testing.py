"""For integrators' tests: a real Nightlatch, and a phone that scans and shows codes.

    pytest_plugins = ["nightlatch.testing"]

    def test_sign_in(nightlatch):
        ada = nightlatch.person("ada")
        assert nightlatch.verify("ada", ada.code())["status"] == "approved"

Nothing is imitated: the fixture starts ``nightlatch serve`` on SQLite in a temporary folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from nightlatch.adapters.system import SystemClock
from nightlatch.domain.factors.otpauth import OtpauthUri, parse
from nightlatch.domain.factors.parameters import TotpParameters
from nightlatch.domain.factors.totp import code_at, step_at
from nightlatch.domain.time import SECOND

SECONDS_TO_START = 30.0
LOOK_EVERY = 0.05
ANNOUNCED = "Nightlatch is at "
CONTEXT = {"ip": "192.0.2.7", "user_agent": "nightlatch.testing"}


class Phone:
    """An authenticator app: scan once, then ask for codes. Each is a code that was not used yet."""

    def __init__(self) -> None:
        self._scanned: OtpauthUri | None = None
        self._last = -1

    def scan(self, picture: str | bytes) -> Phone:
        """Read an ``otpauth://`` address, or a PNG picture of one (that needs ``zxing-cpp`` and ``pillow``)."""
        self._scanned = parse(picture if isinstance(picture, str) else _read(picture))
        return self

    def code(self) -> str:
        """The next code that a server will take; waits for one where the present ones were used up."""
        scanned = self._scanned
        if scanned is None:
            raise RuntimeError("scan a picture first")
        params = TotpParameters(scanned.algorithm, scanned.digits, scanned.period)
        length = params.period * SECOND
        # The window lets a code in one step early, so that two sign-ins in a row need no wait.
        while (step := max(self._last + 1, _step(params))) > _step(params) + 1:
            time.sleep(0.1)
        self._last = step
        return code_at(scanned.secret, step * length, params)


def _step(params: TotpParameters) -> int:
    return step_at(SystemClock().now(), params)


def _read(png: bytes) -> str:
    import io

    import zxingcpp
    from PIL import Image

    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    if not found:
        raise ValueError("there is no QR code in this picture")
    return str(found[0].text)


@dataclass
class Server:
    """A running server, and an application registered with every scope."""

    url: str
    application: str
    api_key: str = field(repr=False)
    http: httpx.Client = field(repr=False)

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One call of the API; raises ``httpx.HTTPStatusError`` for a refusal."""
        response = self.http.request(method, path, json=body)
        if response.is_error:
            raise httpx.HTTPStatusError(response.text, request=response.request, response=response)
        return dict(response.json()) if response.content else {}

    def person(self, username: str, **more: Any) -> Phone:
        """A new person with an active authenticator app; ``backup_codes`` are left unread."""
        user = self.call("POST", "/v1/users", {"username": username, **more})["id"]
        factor = self.call("POST", f"/v1/users/{user}/factors", {"kind": "totp"})
        phone = Phone().scan(factor["enrollment"]["uri"])
        self.call("POST", f"/v1/users/{user}/factors/{factor['id']}/activation", {"code": phone.code()})
        return phone

    def verify(self, user: str, code: str, **more: Any) -> dict[str, Any]:
        """``POST /v1/verify`` for a login whose password was right."""
        body = {"user": user, "code": code, "context": CONTEXT, "first_factor": "pwd", **more}
        return self.call("POST", "/v1/verify", body)


@pytest.fixture(scope="session")
def nightlatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server for the whole run; give each test people of its own."""
    with serving(tmp_path_factory.mktemp("nightlatch")) as server:
        yield server


@contextmanager
def serving(folder: Path, *, settings: str = "") -> Iterator[Server]:
    """A real server with these lines of ``nightlatch.toml``, its data in a folder that is made for it."""
    folder.mkdir(exist_ok=True)
    (folder / "nightlatch.toml").write_text(settings, encoding="utf-8")
    where = ["--config", str(folder / "nightlatch.toml"), "--data", str(folder)]
    log = folder / "server.log"
    with log.open("w") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "nightlatch", "serve", "--port", "0", *where],
            stdout=subprocess.DEVNULL,
            stderr=told,
            env=_environment(),
        )
    try:
        url = _address(process, log)
        created = _registered(where)
        headers = {"Authorization": f"Bearer {created['api_key']}"}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as http:
            yield Server(url, created["id"], created["api_key"], http)
    finally:
        process.terminate()
        process.wait(SECONDS_TO_START)


def _environment() -> dict[str, str]:
    """The caller's settings of a real Nightlatch have no place in a test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NIGHTLATCH_")}


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server says that it is, once it is there."""
    for _ in range(int(SECONDS_TO_START / LOOK_EVERY)):
        for line in log.read_text().splitlines():
            if line.startswith(ANNOUNCED):
                return line.removeprefix(ANNOUNCED).strip()
        if process.poll() is not None:
            break
        time.sleep(LOOK_EVERY)
    raise RuntimeError(f"nightlatch serve did not start:\n{log.read_text()}")


def _registered(where: list[str]) -> dict[str, str]:
    command = [sys.executable, "-m", "nightlatch", "app", "create", "tests", "--scope", "admin", "--json", *where]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=_environment())
    return dict(json.loads(done.stdout))
