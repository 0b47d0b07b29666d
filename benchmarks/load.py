"""Load at saturation, by wrk: as many requests as the server answers, over connections that stay busy."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Failed

SCRIPT = Path(__file__).with_name("requests.lua")
SPARE_SECONDS = 30


class TooFew(Failed):
    """The requests ran out; ``rate`` is how fast."""

    def __init__(self, held: int, seconds: int, rate: float) -> None:
        super().__init__(f"{held} requests were too few for {seconds} s")
        self.rate = rate


@dataclass(frozen=True)
class Load:
    """What a run of load was: ``own_cpu`` are the generator's own seconds on a processor."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    own_cpu: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def request(
    host: str, path: str, body: bytes, *, key: str | None = None, media_type: str = "application/json"
) -> bytes:
    """A POST as it goes over the wire."""
    authorization = f"Authorization: {key}\r\n" if key else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def whole_answer(received: bytes) -> tuple[bytes, bytes] | None:
    """Head and body of an answer with a content-length, once all of it is there."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return None
    at = head.lower().index(b"content-length:") + len(b"content-length:")
    return None if len(body) < int(head[at:].split(b"\r\n", 1)[0]) else (head, body)


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """Requests as ``requests.lua`` and ``paced`` read them."""
    with path.open("wb") as file:
        for each in requests:
            file.write(b"%d\n" % len(each))
            file.write(each)


def read_requests(path: Path) -> list[bytes]:
    """What ``write_requests`` wrote."""
    raw, at, found = path.read_bytes(), 0, []
    while at < len(raw):
        end = raw.index(b"\n", at)
        size = int(raw[at:end])
        found.append(raw[end + 1 : end + 1 + size])
        at = end + 1 + size
    return found


def saturate(port: int, requests: Sequence[bytes], *, seconds: int, connections: int) -> Load:
    """Send requests, each once, for some seconds. Raises ``Failed`` when one is refused, ``TooFew`` when they run out."""
    with tempfile.TemporaryDirectory(prefix="nightlatch-bench-") as folder:
        file = Path(folder, "requests")
        write_requests(file, requests)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPT)]
        before = os.times()
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}/"],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + SPARE_SECONDS,
            env={**os.environ, "BENCH_REQUESTS": str(file)},
        )
        after = os.times()
    if done.returncode or not done.stdout.strip().startswith("Running"):
        raise Failed(f"wrk ended with {done.returncode}: {done.stdout}{done.stderr}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    if said["refused"] or said["broken"]:
        raise Failed(f"the server refused {said['refused']} requests and broke off {said['broken']}")
    if not said["requests"]:
        raise Failed(f"no answer in {seconds} s")
    if said["sent"] > said["held"]:
        raise TooFew(said["held"], seconds, said["requests"] / said["microseconds"] * 1e6)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Load(said["requests"], said["microseconds"] / 1e6, said["p50"] / 1e3, said["p99"] / 1e3, cpu)
