"""Addresses at ntfy servers and UnifiedPush endpoints like them, which a phone names and this server posts to.

What stands behind the server decides what a post does there: a topic is told something; ``?email=`` has it mailed,
``?call=`` rings a number, and other paths are the account's. So an address is a server of ours and one topic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# "?up=1" is what UnifiedPush's own distributor puts behind the topics that it makes.
_TOPIC = re.compile(r"/[-_A-Za-z0-9]{1,64}(\?up=1)?")


def is_topic(address: str, servers: Sequence[str]) -> bool:
    """Whether this is one topic at one of these servers, which are written with or without a final slash."""
    at = (server.rstrip("/") for server in servers)
    return any(address.startswith(server) and _TOPIC.fullmatch(address, len(server)) for server in at)
