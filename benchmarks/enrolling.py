"""Enrolment of a TOTP factor, its QR code drawn twice (SVG and PNG), at saturation."""

from __future__ import annotations

from benchmarks.load import Load, saturate
from benchmarks.processes import Failed
from benchmarks.server import Server
from benchmarks.verifying import CONNECTIONS, Store


def enroll(server: Server, store: Store, *, seconds: int) -> Load:
    """One factor for each of these people, who have none."""
    people = store.people
    requests = [
        server.post(f"/v1/users/{people.username(number)}/factors", {"kind": "totp"}) for number in range(people.count)
    ]
    before = store.number("SELECT count(*) FROM factors")
    load = saturate(server.port, requests, seconds=seconds, connections=CONNECTIONS)
    made = store.number("SELECT count(*) FROM factors") - before
    if made < load.requests:
        raise Failed(f"{load.requests} enrolments were answered and {made} factors made")
    return load
