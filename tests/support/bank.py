"""A bank over a real server, whose people press HOTP tokens: those give a new code as often as one likes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from joserfc.jwk import KeySet

from nightlatch.domain.factors import hotp
from nightlatch.domain.factors.otpauth import parse
from tests.support.installation import WITHIN, Installation, Server

CONTEXT = {"ip": "192.0.2.7"}


@dataclass
class Bank:
    """An application that may do everything."""

    server: Server
    key: str
    people: list[Presser] = field(default_factory=list)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """A call with the bank's key."""
        headers["authorization"] = f"Bearer {self.key}"
        return httpx.post(self.server.url + path, json=body, headers=headers, timeout=30)

    def join(self, username: str) -> list[str]:
        """A new person with an active token; their backup codes."""
        made = self.post("/v1/users", {"username": username})
        assert made.status_code == 201, made.text
        factor = self.post(f"/v1/users/{username}/factors", {"kind": "hotp"}).json()
        presser = Presser(username, factor["enrollment"]["uri"])
        active = self.post(f"/v1/users/{username}/factors/{factor['id']}/activation", {"code": presser.press()})
        assert active.status_code == 200, active.text
        self.people.append(presser)
        codes: list[str] = active.json()["backup_codes"]
        return codes

    def sign_in(self, presser: Presser) -> str:
        """Sign in with the next code; the assertion. Fails when it is not approved."""
        body = {"user": presser.username, "code": presser.press(), "context": CONTEXT}
        answer = self.post("/v1/verify", body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "approved", answer.text
        return str(answer.json()["assertion"])

    @contextmanager
    def busy(self, people: list[Presser]) -> Iterator[Crowd]:
        """People who sign in again and again, each as fast as it goes."""
        crowd = Crowd()
        threads = [threading.Thread(target=crowd.keep_signing_in, args=(self, presser)) for presser in people]
        for thread in threads:
            thread.start()
        try:
            yield crowd
        finally:
            crowd.stop.set()
            for thread in threads:
                thread.join(WITHIN)

    def public_keys(self) -> KeySet:
        """What verifiers read."""
        return KeySet.import_key_set(httpx.get(self.server.url + "/.well-known/jwks.json", timeout=30).json())


class Presser:
    """A person with a hardware token."""

    def __init__(self, username: str, uri: str) -> None:
        self.username = username
        self._scanned = parse(uri)
        self._presses = 0

    def press(self) -> str:
        """The next code."""
        self._presses += 1
        return hotp.code_at(self._scanned.secret, self._scanned.counter + self._presses - 1, self._scanned.digits)


@dataclass
class Crowd:
    """What became of people who signed in at once; times are those of ``time.monotonic``."""

    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[str] = field(default_factory=list)
    signed_in: list[float] = field(default_factory=list)

    def keep_signing_in(self, bank: Bank, presser: Presser) -> None:
        """Until told to stop."""
        while not self.stop.is_set():
            try:
                bank.sign_in(presser)
                self.signed_in.append(time.monotonic())
            except (AssertionError, httpx.HTTPError) as error:
                self.failures.append(repr(error))


def opened_bank(installation: Installation, server: Server) -> Bank:
    """A bank that may do everything, registered by the command line."""
    made = installation.made("app", "create", "bank", "--scope", "admin", "--first-factor", "pwd")
    return Bank(server, made["api_key"])
