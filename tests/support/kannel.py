"""Kannel on this machine: bearerbox, smsbox, and fakesmsc as the network behind it. Debian's kannel and kannel-extras."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_plus, unquote_to_bytes

from tests.support.kept import free_port

BEARERBOX = "/usr/sbin/bearerbox"
SMSBOX = "/usr/sbin/smsbox"
FAKESMSC = "/usr/lib/kannel/test/fakesmsc"
USER, PASSWORD = "nightlatch", "k4nnel secret"
WITHIN = 20.0

_GOT = re.compile(r"Got message \d+: <(\S+) (\S+) (\S+) (.*)>$", re.MULTILINE)


@dataclass
class Kannel:
    """A running Kannel. ``url`` is its sendsms."""

    folder: Path
    admin: int = field(default_factory=free_port)
    boxes: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    network: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where texts are posted."""
        return f"http://127.0.0.1:{self.port}/cgi-bin/sendsms"

    def texts(self) -> list[tuple[str, str, str]]:
        """What reached the network: sender, number, text, the parts of a long one each by itself."""
        said = (self.folder / "fakesmsc.log").read_text("utf-8", "replace")
        return [(sender, number, _decoded(kind, text)) for sender, number, kind, text in _GOT.findall(said)]

    def start(self) -> None:
        """Start it and wait until it serves."""
        for program in (BEARERBOX, SMSBOX, FAKESMSC):
            assert Path(program).exists(), f"{program} is missing: sudo apt-get install kannel kannel-extras"
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "kannel.conf"
        configuration.write_text(self._configuration(), "utf-8")
        self._run("bearerbox", BEARERBOX, configuration)
        _until(lambda: _open(self.admin), "bearerbox")
        self._run("smsbox", SMSBOX, configuration)
        _until(lambda: _open(self.port), "smsbox")
        # One message of its own, a day from now: it stays and takes ours.
        never = ("-m", "1", "-i", "86400", "4477001 12345 text hello")
        self._run("fakesmsc", FAKESMSC, "-H", "127.0.0.1", "-r", str(self.network), *never)
        _until(lambda: "Connecting" in (self.folder / "fakesmsc.log").read_text("utf-8", "replace"), "fakesmsc")

    def kill(self) -> None:
        """What a power cut does."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait(WITHIN)
        self.processes.clear()

    def _run(self, name: str, *command: object) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen([str(part) for part in command], cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
            )

    def _configuration(self) -> str:
        return f"""
group = core
admin-port = {self.admin}
admin-password = admin
admin-interface = 127.0.0.1
smsbox-port = {self.boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = FAKE
host = 127.0.0.1
port = {self.network}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {self.port}
sendsms-interface = 127.0.0.1
http-request-retry = 5
http-queue-delay = 1

group = sendsms-user
username = {USER}
password = "{PASSWORD}"
max-messages = 5
concatenation = true

group = sms-service
keyword = default
catch-all = true
text = ""
max-messages = 0
"""


@contextmanager
def kannel(folder: Path) -> Iterator[Kannel]:
    """One for a test, gone at its end."""
    started = Kannel(folder)
    try:
        started.start()
        yield started
    finally:
        started.kill()


def _decoded(kind: str, text: str) -> str:
    """As fakesmsc prints it: plain, or percent-encoded behind the name of its alphabet."""
    if kind == "ucs-2":
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-16-be")
    return unquote_plus(text.partition(" data ")[2]) if kind == "udh" else text


def _open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not start")
        time.sleep(0.02)
